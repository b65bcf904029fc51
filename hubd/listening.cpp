#include "hubd/listening.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace mayfly::hubd {
namespace {

using shm::Errc;
using shm::os_error;
using shm::Result;

constexpr int kBacklog = 1024;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress to_socket_address(const ListenAddress& address) {
  SocketAddress out;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  const std::string host = address.host == "localhost" ? "127.0.0.1" : address.host;
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&out.storage, &v4, sizeof v4);
    out.size = sizeof v4;
  } else if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    std::memcpy(&out.storage, &v6, sizeof v6);
    out.size = sizeof v6;
  }
  return out;
}

ListenAddress from_socket_address(const sockaddr_storage& storage) {
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof v4);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return {text, ntohs(v4.sin_port)};
  }
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof v6);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return {text, ntohs(v6.sin6_port)};
  }
  return {"127.0.0.1", 0};
}

}  // namespace

Result<std::unique_ptr<ListeningSockets>> ListeningSockets::bind(const ListenAddress& address) {
  SocketAddress to = to_socket_address(address);
  const std::string doing = "listening on " + address.text();
  const int fd = socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return os_error(Errc::io, doing, errno);
  std::unique_ptr<ListeningSockets> sockets = adopt({fd});
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd, to.get(), to.size) != 0 || listen(fd, kBacklog) != 0) {
    return os_error(errno == EADDRINUSE ? Errc::busy : Errc::io, doing, errno);
  }
  return sockets;
}

std::unique_ptr<ListeningSockets> ListeningSockets::adopt(std::vector<int> descriptors) {
  return std::unique_ptr<ListeningSockets>(new ListeningSockets(std::move(descriptors)));
}

ListeningSockets::~ListeningSockets() {
  for (const int fd : descriptors_) close(fd);
}

Result<std::vector<int>> ListeningSockets::duplicates() const {
  std::vector<int> copies;
  for (const int fd : descriptors_) {
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) {
      const int error_number = errno;
      for (const int made : copies) close(made);
      return os_error(Errc::io, "duplicating a listening socket", error_number);
    }
    copies.push_back(copy);
  }
  return copies;
}

std::vector<ListenAddress> ListeningSockets::addresses() const {
  std::vector<ListenAddress> out;
  for (const int fd : descriptors_) {
    SocketAddress at;
    at.size = sizeof at.storage;
    if (getsockname(fd, at.get(), &at.size) == 0) out.push_back(from_socket_address(at.storage));
  }
  return out;
}

std::string ListeningSockets::text() const {
  std::string out;
  for (const ListenAddress& address : addresses()) {
    out += (out.empty() ? "" : ", ") + (address.port == 0 ? std::string("unix") : address.text());
  }
  return out;
}

}  // namespace mayfly::hubd
