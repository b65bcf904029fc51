// A host cut down to what a measurement needs: the real ingestd with its listening socket handed
// over, and the control segment written by the benchmark itself in relayd's place.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/scratch.h"
#include "shm/control.h"
#include "shm/reader.h"

namespace mayfly::bench {

/// Thread safety: none. Start no threads before the last start_ingestd().
class Host {
 public:
  /// `program` is the path of ingestd; `memory` as its --memory; `quotas` for any log directory.
  Host(std::string program, std::string memory, const shm::Quotas& quotas);
  /// Kills ingestd if it runs.
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  /// Forks and executes ingestd; returns when the kernel has loaded it, or gives up.
  void start_ingestd();
  /// True once the ingestd started last has said READY=1. Does not wait.
  bool is_ready();
  /// Waits for is_ready(), or gives up after 10 s.
  void wait_ready();
  /// kill -9 and wait; returns how long that took.
  std::uint64_t kill_ingestd();

  /// How long a process of this program takes that only starts and ends.
  std::uint64_t start_to_end_ns() const;

  /// A connection to the listening socket, non-blocking. Works while no ingestd runs.
  int connect_client() const;
  std::string segment() const { return scratch_.file("segments/data"); }
  shm::Reader reader() const;
  /// Asks ingestd to wake sleeping readers, or not to.
  void set_waiting(bool waiting) { control_->set_waiting(waiting); }

 private:
  static int open_listener();
  void open_notify_socket();
  [[noreturn]] void execute();

  Scratch scratch_;
  std::string program_;
  std::string memory_;
  std::unique_ptr<shm::ControlWriter> control_;
  int listener_ = -1;
  int redis_ = -1;  // handed over so that ingestd opens no port of its own
  int notify_ = -1;
  pid_t child_ = -1;
  bool ready_ = false;
};

/// Sends all of `text` on a connection, waiting where its buffer is full; gives up after 10 s.
void send_all(int fd, const std::string& text);

}  // namespace mayfly::bench
