#include "supervisor/sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace mayfly::supervisor {

using shm::Errc;
using shm::Error;
using shm::os_error;
using shm::Result;
using shm::Status;

namespace {

// The kernel cuts it to net.core.somaxconn. Connections wait here while a daemon restarts.
constexpr int kBacklog = 65535;

Status remove_stale_socket(const std::string& path) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0) {
    if (errno == ENOENT) return {};
    return os_error(Errc::io, "looking at " + path, errno);
  }
  if (!S_ISSOCK(st.st_mode)) return Error{Errc::untrusted, path + " is there and is no socket"};
  if (::unlink(path.c_str()) != 0) return os_error(Errc::io, "removing the stale " + path, errno);
  return {};
}

}  // namespace

Result<Listener> listen_tcp(const std::string& name, std::uint16_t port, const std::string& flag) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return os_error(Errc::io, "making a socket for " + flag, errno);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string text = "127.0.0.1:" + std::to_string(port);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    if (errno == EADDRINUSE) {
      return Error{Errc::busy, "port " + std::to_string(port) + " is in use (" + flag +
                                   "); name another one, 0 for any free one, or none"};
    }
    return os_error(Errc::io, "listening on " + text + " (" + flag + ")", errno);
  }
  socklen_t size = sizeof address;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return os_error(Errc::io, "asking for the port of " + flag, errno);
  }
  const std::uint16_t bound = ntohs(address.sin_port);
  return Listener{name, std::move(fd), "127.0.0.1:" + std::to_string(bound), bound};
}

Result<Listener> listen_unix(const std::string& name, const std::string& path, unsigned mode,
                             const std::optional<std::uint32_t>& group) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error{Errc::invalid, path + " is too long for a unix socket"};
  std::memcpy(address.sun_path, path.data(), path.size());
  if (auto removed = remove_stale_socket(path); !removed) return removed.error();
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return os_error(Errc::io, "making a socket for " + path, errno);
  const mode_t before = ::umask(0177);
  const int bound = ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  const int bind_errno = errno;
  ::umask(before);
  if (bound != 0) return os_error(Errc::io, "binding " + path, bind_errno);
  if (group && ::chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0) {
    return os_error(Errc::io, "giving " + path + " to group " + std::to_string(*group), errno);
  }
  if (::chmod(path.c_str(), mode) != 0) return os_error(Errc::io, "setting the mode of " + path, errno);
  if (::listen(fd.get(), kBacklog) != 0) return os_error(Errc::io, "listening on " + path, errno);
  return Listener{name, std::move(fd), path, 0};
}

}  // namespace mayfly::supervisor
