// A connection to a server on this machine, for both ends of a measurement: blocking words before and
// after, and non-blocking bytes in between.
#pragma once

#include <string>
#include <string_view>

namespace mayfly::bench {

class Wire {
 public:
  /// Connects to 127.0.0.1. `congestion`: of TCP, by the kernel's name; empty: the machine's own.
  /// TCP_NODELAY is set. Throws std::runtime_error, as all functions here.
  Wire(int port, const std::string& congestion);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  int fd() const { return fd_; }
  /// All of it, waiting where the socket is full.
  void send(std::string_view bytes);
  /// Reads until what has come ends with `end`; returns all that has come since the last await().
  /// Gives up after 60 s.
  std::string await(std::string_view end);
  /// What the socket takes now; 0: nothing.
  std::size_t send_some(std::string_view bytes);

 private:
  int fd_ = -1;
};

}  // namespace mayfly::bench
