#include "ingestd/listener.h"

#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "common/socket_address.h"

namespace mayfly::ingestd {
namespace {

using shm::Errc;
using shm::Error;

constexpr int kBacklog = 4096;

struct AddressParts {
  std::string host;
  std::string port;
};

std::optional<AddressParts> split_address(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size()) return std::nullopt;
  AddressParts parts{address.substr(0, colon), address.substr(colon + 1)};
  if (parts.port.find_first_not_of("0123456789") != std::string::npos || parts.port.size() > 5 ||
      std::stoul(parts.port) > 65535) {
    return std::nullopt;
  }
  if (parts.host.size() > 2 && parts.host.front() == '[' && parts.host.back() == ']') {
    parts.host = parts.host.substr(1, parts.host.size() - 2);
  }
  return parts;
}

// Closes unless released.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// For all connections accepted from a listening socket, which inherit them: a flood of connections
// shall not cost five system calls each. Dead peers are found by the kernel: nobody is closed for being idle.
void set_tcp_options(int fd) {
  const int on = 1;
  const int idle_seconds = 300;
  const int interval_seconds = 60;
  const int probes = 5;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof(idle_seconds));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_seconds, sizeof(interval_seconds));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

bool somebody_listens(const sockaddr_un& address) {
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  return ::connect(probe.get(), generic, sizeof(address)) == 0 || errno == EAGAIN;
}

// Makes way for a new socket at the path, if what is there is a socket of nobody.
shm::Status clear_path(const sockaddr_un& address) {
  struct stat found = {};
  if (::lstat(address.sun_path, &found) != 0) return {};
  if (!S_ISSOCK(found.st_mode))
    return Error{Errc::invalid, std::string(address.sun_path) + " is not a socket"};
  if (somebody_listens(address)) return Error{Errc::busy, std::string(address.sun_path) + " is in use"};
  if (::unlink(address.sun_path) != 0)
    return shm::os_error(Errc::io, "removing " + std::string(address.sun_path), errno);
  return {};
}

shm::Status give_to_group(const std::string& path, const std::string& group) {
  if (group.empty()) return {};
  errno = 0;
  const ::group* entry = ::getgrnam(group.c_str());  // NOLINT(concurrency-mt-unsafe): start-up
  if (entry == nullptr) return Error{Errc::invalid, "there is no group " + group};
  if (::chown(path.c_str(), static_cast<uid_t>(-1), entry->gr_gid) != 0) {
    return shm::os_error(Errc::io, "giving " + path + " to the group " + group, errno);
  }
  return {};
}

}  // namespace

Listeners::~Listeners() {
  for (const Listener& listener : listeners_) {
    ::close(listener.fd);
    if (!listener.unlink_at_end.empty()) ::unlink(listener.unlink_at_end.c_str());
  }
}

Listeners& Listeners::operator=(Listeners&& other) noexcept {
  std::swap(listeners_, other.listeners_);
  return *this;
}

bool Listeners::take(HandedSockets& handed, const std::string& name, Protocol protocol) {
  const std::vector<int> fds = handed.take(name);
  for (const int fd : fds) {
    Listener listener;
    listener.fd = fd;
    listener.protocol = protocol;
    listener.address = socket_address(fd);
    listener.tcp = listener.address.find('/') == std::string::npos && listener.address != "unix";
    if (listener.tcp) set_tcp_options(fd);
    listeners_.push_back(std::move(listener));
  }
  return !fds.empty();
}

shm::Status Listeners::bind_tcp(const std::string& address, Protocol protocol) {
  const auto parts = split_address(address);
  if (!parts) return Error{Errc::invalid, "not an address of the form HOST:PORT: " + address};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(parts->host.c_str(), parts->port.c_str(), &hints, &found);
  if (failed != 0) return Error{Errc::invalid, address + ": " + ::gai_strerror(failed)};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> release(found, ::freeaddrinfo);
  Fd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (fd.get() < 0 || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      ::bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    return shm::os_error(errno == EADDRINUSE ? Errc::busy : Errc::io, "listening on " + address, errno);
  }
  set_tcp_options(fd.get());
  Listener listener;
  listener.protocol = protocol;
  listener.address = socket_address(fd.get());
  listener.fd = fd.release();
  listeners_.push_back(std::move(listener));
  return {};
}

shm::Status Listeners::bind_unix(const UnixSocketOptions& options, Protocol protocol) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (options.path.empty() || options.path.size() >= sizeof(address.sun_path)) {
    return Error{Errc::invalid, "too long for a unix socket: " + options.path};
  }
  std::memcpy(address.sun_path, options.path.c_str(), options.path.size());
  if (shm::Status cleared = clear_path(address); !cleared) return cleared;
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // Nobody may connect before mode and group are as they shall be.
  const mode_t old_mask = ::umask(0777);
  const bool bound =
      fd.get() >= 0 && ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  const int error = errno;
  ::umask(old_mask);
  if (!bound) return shm::os_error(Errc::io, "making " + options.path, error);
  if (shm::Status given = give_to_group(options.path, options.group); !given) return given;
  if (::chmod(options.path.c_str(), options.mode) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    return shm::os_error(Errc::io, "making " + options.path, errno);
  }
  Listener listener;
  listener.protocol = protocol;
  listener.tcp = false;
  listener.address = options.path;
  listener.unlink_at_end = options.path;
  listener.fd = fd.release();
  listeners_.push_back(std::move(listener));
  return {};
}

}  // namespace mayfly::ingestd
