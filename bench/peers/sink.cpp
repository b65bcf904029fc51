// Two servers to measure others against, one thread each, one epoll loop.
//
//   peer_sink sink|toy PORT
//
// sink: receives and forgets. What no server can do without.
// toy:  takes RESP commands of four arguments (LOG dir key value), well formed and never cut in a
//       length, and keeps records in a ring of private memory, with the newest of each key in a hash
//       table. No quotas, no counters per directory, no reader, nothing survives: what a store costs
//       when it promises nothing.
//
// Both answer +GO when a connection is made, and +PONG when what was received ends with PING. A
// connection whose first bytes are "COUNT" gets the number of bytes (toy: records) so far; toy also
// answers "GET key" with the newest value.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "bench/peers/toy_store.h"
#include "bench/scratch.h"

namespace {

using mayfly::bench::give_up;

constexpr std::size_t kReceiveBytes = 256 << 10;
constexpr std::string_view kPing = "PING\r\n";

struct Connection {
  std::string kept;  // the beginning of a command whose end has not come
  char tail[kPing.size()] = {};
};

class Server {
 public:
  Server(bool toy, std::uint16_t port)
      : toy_(toy), buffer_(kReceiveBytes), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener_, 1024) != 0) {
      give_up("cannot listen on port " + std::to_string(port));
    }
    poll_ = epoll_create1(EPOLL_CLOEXEC);
    watch(listener_);
  }

  [[noreturn]] void run() {
    epoll_event events[64];
    for (;;) {
      const int count = epoll_wait(poll_, events, 64, -1);
      for (int i = 0; i < count; ++i) {
        if (events[i].data.fd == listener_) {
          accept_one();
        } else {
          receive(events[i].data.fd);
        }
      }
    }
  }

 private:
  void watch(int fd) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(poll_, EPOLL_CTL_ADD, fd, &event);
  }

  static void say(int fd, const std::string& text) {
    if (send(fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) return;  // it has gone: so be it
  }

  void accept_one() {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    connections_[fd];
    watch(fd);
    say(fd, "+GO\r\n");
  }

  void receive(int fd) {
    auto& connection = connections_[fd];
    const auto kept = connection.kept.size();
    std::memcpy(buffer_.data(), connection.kept.data(), kept);
    const ssize_t n = recv(fd, buffer_.data() + kept, buffer_.size() - kept, 0);
    if (n <= 0) {
      close(fd);
      connections_.erase(fd);
      return;
    }
    const std::string_view received(buffer_.data() + kept, static_cast<std::size_t>(n));
    if (asked(fd, received)) return;
    bytes_ += received.size();
    if (toy_) {
      const std::string_view all(buffer_.data(), kept + received.size());
      connection.kept = all.substr(store_.take(all));
    }
    answer_ping(fd, connection, received);
  }

  // COUNT and GET come alone, on connections of their own.
  bool asked(int fd, std::string_view text) const {
    if (text.substr(0, 5) == "COUNT") {
      say(fd, std::to_string(toy_ ? store_.records() : bytes_) + "\r\n");
    } else if (text.substr(0, 4) == "GET ") {
      say(fd, std::string(store_.newest(text.substr(4, text.find('\r') - 4))) + "\r\n");
    } else {
      return false;
    }
    return true;
  }

  static void answer_ping(int fd, Connection& connection, std::string_view received) {
    const auto size = kPing.size();
    if (received.size() >= size) {
      std::memcpy(connection.tail, received.data() + received.size() - size, size);
    } else {
      std::memmove(connection.tail, connection.tail + received.size(), size - received.size());
      std::memcpy(connection.tail + size - received.size(), received.data(), received.size());
    }
    if (std::memcmp(connection.tail, kPing.data(), size) == 0) say(fd, "+PONG\r\n");
  }

  const bool toy_;
  std::vector<char> buffer_;
  const int listener_;
  int poll_ = -1;
  std::uint64_t bytes_ = 0;
  mayfly::bench::ToyStore store_;
  std::unordered_map<int, Connection> connections_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view kind = argc == 3 ? argv[1] : "";
  if (kind != "sink" && kind != "toy") {
    std::fputs("usage: peer_sink sink|toy PORT\n", stderr);
    return 2;
  }
  try {
    Server(kind == "toy", static_cast<std::uint16_t>(std::atoi(argv[2]))).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "peer_sink: %s\n", error.what());
    return 1;
  }
}
