// Listening sockets: handed over by a supervisor, or bound here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/daemon.h"
#include "shm/result.h"

namespace mayfly::ingestd {

enum class Protocol { native, redis };

/// A listening socket, shared by all workers. Not closed before they have ended.
struct Listener {
  int fd = -1;
  Protocol protocol = Protocol::native;
  bool tcp = true;
  std::string address;        // for people: "127.0.0.1:4717", or a path
  std::string unlink_at_end;  // the path of a unix socket made here
};

struct UnixSocketOptions {
  std::string path;
  unsigned mode = 0660;
  std::string group;  // empty: the process's
};

/// Owns listening sockets and closes them.
class Listeners {
 public:
  Listeners() = default;
  ~Listeners();
  Listeners(Listeners&&) noexcept = default;
  Listeners& operator=(Listeners&& other) noexcept;

  /// Takes what `handed` has under `name`. True when there was at least one.
  bool take(HandedSockets& handed, const std::string& name, Protocol protocol);
  /// Binds HOST:PORT, [HOST]:PORT; port 0 takes a free one. Errors: invalid (not an address), busy, io.
  shm::Status bind_tcp(const std::string& address, Protocol protocol);
  /// Makes a unix socket; one that nobody listens on any more is replaced. Errors: busy, invalid, io.
  shm::Status bind_unix(const UnixSocketOptions& options, Protocol protocol);

  const std::vector<Listener>& all() const { return listeners_; }

 private:
  std::vector<Listener> listeners_;
};

}  // namespace mayfly::ingestd
