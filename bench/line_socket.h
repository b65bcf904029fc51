// One HTTP/1.1 connection of a benchmark on an epoll: requests out, whole answers in.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace mayfly::bench {

/// Non-blocking. Single-threaded; `epoll` outlives it, and so does whoever owns it at one address.
class LineSocket {
 public:
  /// Called for each answer of this connection, head included.
  using OnAnswer = std::function<void(LineSocket&, std::string_view head, std::string_view body)>;

  /// Connects to 127.0.0.1:`port`, or gives up.
  LineSocket(int epoll, std::uint16_t port, OnAnswer on_answer);
  ~LineSocket();
  LineSocket(const LineSocket&) = delete;
  LineSocket& operator=(const LineSocket&) = delete;

  /// Sends all of it, or gives up: requests here are far smaller than a socket's buffer.
  void send(std::string_view request);
  /// To be called when epoll says that there is something to read. Gives up when the peer closes.
  void readable();

 private:
  bool take_answer();

  int fd_;
  OnAnswer on_answer_;
  std::string received_;
  std::string last_;  // the last answer, to be told when something goes wrong
};

}  // namespace mayfly::bench
