// Frames of RFC 6455 as bytes, good and bad ones, and a client that reads them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/common/http_test_client.h"

namespace mayfly::test {

struct Frame {
  unsigned opcode = 1;
  std::string payload;
  bool fin = true;
  bool mask = true;
  unsigned rsv = 0;
};

inline void append_big_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

/// The head of a frame that announces `size` bytes.
inline std::string frame_head(const Frame& frame, std::uint64_t size) {
  std::string out;
  out += static_cast<char>((frame.fin ? 0x80u : 0u) | frame.rsv << 4 | frame.opcode);
  const unsigned mask = frame.mask ? 0x80u : 0u;
  if (size < 126) {
    out += static_cast<char>(mask | static_cast<unsigned>(size));
  } else {
    const int bytes = size < 65536 ? 2 : 8;
    out += static_cast<char>(mask | (bytes == 2 ? 126u : 127u));
    append_big_endian(out, size, bytes);
  }
  return out;
}

inline std::string frame_bytes(const Frame& frame) {
  std::string out = frame_head(frame, frame.payload.size());
  const char key[4] = {0x11, 0x22, 0x33, 0x44};
  if (frame.mask) out.append(key, sizeof key);
  for (std::size_t i = 0; i < frame.payload.size(); ++i) {
    out += frame.mask ? static_cast<char>(frame.payload[i] ^ key[i % 4]) : frame.payload[i];
  }
  return out;
}

/// The payload of a close frame.
inline std::string close_payload(unsigned code, std::string_view reason = {}) {
  std::string out;
  append_big_endian(out, code, 2);
  out += reason;
  return out;
}

class WebSocketClient {
 public:
  explicit WebSocketClient(std::uint16_t port) : connection(port) {}

  /// True when the server agrees.
  bool open(const std::string& more = {}) {
    connection.send(
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
        more + "\r\n");
    const auto has_head = [this] { return connection.received().find("\r\n\r\n") != std::string::npos; };
    if (!connection.read_until(has_head)) return false;
    const std::string received = connection.take_received();
    const std::size_t end = received.find("\r\n\r\n") + 4;
    head = received.substr(0, end);
    input_ = received.substr(end);
    return head.rfind("HTTP/1.1 101 ", 0) == 0;
  }
  void send(const Frame& frame) { connection.send(frame_bytes(frame)); }
  /// The next frame from the server; nothing: the connection ended first.
  std::optional<Frame> read() {
    Frame frame;
    const auto complete = [&] {
      input_ += connection.take_received();
      return parse(frame);
    };
    if (!connection.read_until(complete)) return std::nullopt;
    return frame;
  }
  /// The code of the close frame that comes next, with the end behind it; 0: something else came.
  unsigned read_close() {
    const auto frame = read();
    if (!frame || frame->opcode != 8 || !connection.read_to_end()) return 0;
    if (frame->payload.size() < 2) return 1005;
    return static_cast<unsigned char>(frame->payload[0]) * 256u +
           static_cast<unsigned char>(frame->payload[1]);
  }

  TestConnection connection;
  std::string head;

 private:
  bool parse(Frame& frame) {
    if (input_.size() < 2) return false;
    const auto byte = [this](std::size_t at) { return static_cast<unsigned char>(input_[at]); };
    std::size_t size = byte(1) & 0x7fu;
    std::size_t at = 2;
    const std::size_t extra = size == 126 ? 2 : size == 127 ? 8 : 0;
    if (input_.size() < at + extra) return false;
    if (extra > 0) size = 0;
    for (std::size_t i = 0; i < extra; ++i) size = size << 8 | byte(at++);
    if (input_.size() < at + size) return false;
    frame = {byte(0) & 0x0fu, input_.substr(at, size), (byte(0) & 0x80u) != 0, (byte(1) & 0x80u) != 0,
             byte(0) >> 4 & 7u};
    input_.erase(0, at + size);
    return true;
  }

  std::string input_;
};

}  // namespace mayfly::test
