#include "bench/line_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "bench/scratch.h"

namespace mayfly::bench {
namespace {

/// The value of a header, which must be written in lower case here; empty: not there.
std::string_view header(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at + 2)) {
    const std::string_view line = head.substr(at + 2);
    if (line.size() > name.size() && strncasecmp(line.data(), name.data(), name.size()) == 0 &&
        line[name.size()] == ':') {
      std::string_view value = line.substr(name.size() + 1);
      value = value.substr(0, value.find("\r\n"));
      while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
      return value;
    }
  }
  return {};
}

}  // namespace

LineSocket::LineSocket(int epoll, std::uint16_t port, OnAnswer on_answer)
    : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), on_answer_(std::move(on_answer)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd_ < 0 || connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    give_up(std::string("cannot connect: ") + std::strerror(errno));
  }
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = this;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd_, &event) != 0) give_up("cannot watch a socket");
}

LineSocket::~LineSocket() { close(fd_); }

void LineSocket::send(std::string_view request) {
  const auto sent = ::send(fd_, request.data(), request.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(request.size())) give_up("the hub does not take a request");
}

void LineSocket::readable() {
  char buffer[16384];
  const ssize_t size = recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
  if (size < 0 && errno == EAGAIN) return;
  if (size <= 0) give_up("the hub closed a connection after: " + received_ + last_);
  received_.append(buffer, static_cast<std::size_t>(size));
  while (take_answer()) {
  }
  if (received_.empty()) received_.shrink_to_fit();
}

bool LineSocket::take_answer() {
  const std::size_t end = received_.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const std::string_view head = std::string_view(received_).substr(0, end + 2);
  std::size_t body = end + 4;
  std::size_t size = 0;
  std::size_t behind = 0;
  if (const auto length = header(head, "content-length"); !length.empty()) {
    size = std::strtoull(length.data(), nullptr, 10);
    behind = body + size;
    if (received_.size() < behind) return false;
  } else if (!header(head, "transfer-encoding").empty()) {
    const std::size_t last = received_.find("0\r\n\r\n", body);
    if (last == std::string::npos) return false;
    size = last - body;
    behind = last + 5;
  } else {
    behind = body;
  }
  const std::string answer = last_ = received_.substr(0, behind);
  received_.erase(0, behind);
  const std::string_view whole(answer);
  on_answer_(*this, whole.substr(0, end + 2), whole.substr(body, size));
  return true;
}

}  // namespace mayfly::bench
