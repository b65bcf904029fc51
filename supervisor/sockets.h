// The listening sockets. They belong to the supervisor for its whole life and are handed to the
// daemons, so that connections wait while a daemon restarts, and none is refused.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shm/result.h"
#include "supervisor/fd.h"
#include "supervisor/options.h"

namespace mayfly::supervisor {

/// A bound and listening socket.
struct Listener {
  std::string name;  // as in LISTEN_FDNAMES
  Fd fd;
  std::string address;     // "127.0.0.1:4717", or the path
  std::uint16_t port = 0;  // 0 for a unix socket
};

/// Listens on 127.0.0.1:port; 0 takes a free one. `flag` names the option in errors.
/// Errors: busy (port in use), io.
shm::Result<Listener> listen_tcp(const std::string& name, std::uint16_t port, const std::string& flag);

/// Listens on a path; a stale socket there is replaced, anything else is not. Nobody can connect
/// before mode and group are set. Errors: untrusted (something else is there), invalid, io.
shm::Result<Listener> listen_unix(const std::string& name, const std::string& path, unsigned mode,
                                  const std::optional<std::uint32_t>& group);

}  // namespace mayfly::supervisor
