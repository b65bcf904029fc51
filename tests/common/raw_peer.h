// The other end of a client's connections, as bytes: a socket that listens, and what it accepts.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace mayfly::test {

/// What the kernel adds to the C library's tcp_info (linux/tcp.h, which cannot be included beside it).
struct LongerTcpInfo {
  tcp_info known;
  std::uint64_t rates_and_bytes[4];
  std::uint32_t segments[4];  // out, in; bytes not sent; shortest round trip
  std::uint32_t data_segments_in;
};
static_assert(offsetof(LongerTcpInfo, data_segments_in) == 152);

/// One accepted connection, read with a deadline.
class RawPeer {
 public:
  static constexpr int kDeadlineMs = 20'000;

  explicit RawPeer(int fd) : fd_(fd) {}
  ~RawPeer() { close(); }
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  /// Reads until `text` is there, or the end. Everything so far.
  const std::string& read_until(const std::string& text) {
    while (received.find(text) == std::string::npos && read_more()) {
    }
    return received;
  }
  /// True when the client closes, or breaks off.
  bool read_to_end() {
    while (read_more()) {
    }
    return ended_;
  }
  void send(std::string_view bytes) {
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  unsigned data_segments() const {
    LongerTcpInfo info{};
    socklen_t size = sizeof info;
    getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &size);
    return info.data_segments_in;
  }
  /// Waits for more, and takes it. False: the end, or the deadline.
  bool read_more() {
    pollfd poller{fd_, POLLIN, 0};
    if (poll(&poller, 1, kDeadlineMs) <= 0) return false;
    char buffer[65536];
    const ssize_t size = recv(fd_, buffer, sizeof buffer, 0);
    ended_ = size <= 0;
    if (!ended_) received.append(buffer, static_cast<std::size_t>(size));
    return !ended_;
  }
  int fd() const { return fd_; }
  bool ended() const { return ended_; }

  std::string received;

 private:
  int fd_;
  bool ended_ = false;
};

/// A free port of 127.0.0.1, with small buffers so that back-pressure shows soon.
class RawListener {
 public:
  explicit RawListener(std::uint16_t port = 0) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int small = 16 << 10;
    const int on = 1;
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    listen(fd_, 128);
    socklen_t size = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~RawListener() { close(fd_); }
  RawListener(const RawListener&) = delete;
  RawListener& operator=(const RawListener&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  /// Null: nobody came in time.
  std::unique_ptr<RawPeer> accept_one() {
    pollfd poller{fd_, POLLIN, 0};
    if (poll(&poller, 1, RawPeer::kDeadlineMs) <= 0) return nullptr;
    return std::make_unique<RawPeer>(accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
  }
  int fd() const { return fd_; }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

}  // namespace mayfly::test
