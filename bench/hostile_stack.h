// A whole `mayfly up` for a benchmark: with a hub's file that can be rewritten, and everything that is
// asked of it while it is under attack.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/scratch.h"

namespace mayfly::bench {

class HostileStack {
 public:
  /// Starts it and waits until it serves; gives up after 30 s. `directories`: YAML, a list's items.
  HostileStack(const std::string& memory, const std::string& directories);
  ~HostileStack();
  HostileStack(const HostileStack&) = delete;
  HostileStack& operator=(const HostileStack&) = delete;

  /// "ingest", "redis", "relay": a port on 127.0.0.1.
  std::uint16_t port(const std::string& listener) const;
  /// "ingestd", "relayd" ...
  pid_t pid(const std::string& program) const;
  /// The programs are the ones that were started: none has died.
  bool all_alive() const;
  /// Rewrites the hub's file; it counts within a second.
  void set_directories(const std::string& directories);
  /// The body of relayd's answer; empty: it was no 200.
  std::string get(const std::string& path) const;
  /// What /api/v1/directories says of one directory; null: not there.
  nlohmann::json directory(const std::string& name) const;
  /// A metric without labels.
  double metric(const std::string& name) const;
  /// Anonymous memory of a program, in bytes: what it holds besides the segments.
  std::uint64_t own_memory(const std::string& program) const;

 private:
  void write_hub_file(const std::string& directories) const;
  void execute(int output, const std::string& memory) const;

  Scratch scratch_;
  pid_t child_ = -1;
  int output_ = -1;
  nlohmann::json ready_;
};

/// Raises the limit of open files as far as it goes, for this process and its children; returns it.
std::uint64_t raise_open_files();

/// A blocking connection to 127.0.0.1:`port` with deadlines of 20 s; -1 where it was refused.
int connect_to(std::uint16_t port);
/// Closes with a reset, so that no port is left waiting.
void drop(int fd);

}  // namespace mayfly::bench
