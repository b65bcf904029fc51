#include "bench/peers/wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "bench/scratch.h"

namespace mayfly::bench {

namespace {

constexpr int kWirePatienceMs = 60'000;

void await_events(int fd, short events, const char* what) {
  pollfd one{fd, events, 0};
  if (poll(&one, 1, kWirePatienceMs) <= 0) give_up(std::string("nothing happened for a minute: ") + what);
}

}  // namespace

Wire::Wire(int port, const std::string& congestion) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (!congestion.empty() && setsockopt(fd_, IPPROTO_TCP, TCP_CONGESTION, congestion.data(),
                                        static_cast<socklen_t>(congestion.size())) != 0) {
    give_up("this kernel does not do TCP congestion control " + congestion);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const std::string why = std::strerror(errno);
    close(fd_);
    give_up("connecting to port " + std::to_string(port) + ": " + why);
  }
}

Wire::~Wire() { close(fd_); }

std::size_t Wire::send_some(std::string_view bytes) {
  const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n >= 0) return static_cast<std::size_t>(n);
  if (errno != EAGAIN && errno != EINTR) give_up(std::string("sending: ") + std::strerror(errno));
  return 0;
}

void Wire::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = send_some(bytes);
    bytes.remove_prefix(sent);
    if (sent == 0) await_events(fd_, POLLOUT, "sending");
  }
}

std::string Wire::await(std::string_view end) {
  std::string all;
  char bytes[8192];
  while (all.size() < end.size() || std::string_view(all).substr(all.size() - end.size()) != end) {
    await_events(fd_, POLLIN, "waiting for an answer");
    const ssize_t n = recv(fd_, bytes, sizeof bytes, 0);
    if (n <= 0) give_up("the server hung up; it said: " + all);
    all.append(bytes, static_cast<std::size_t>(n));
  }
  return all;
}

}  // namespace mayfly::bench
