// The server's side of a WebSocket (RFC 6455) on a ByteStream, by wslay.
//
// Answers pings and closes by itself. A peer that breaks the protocol (an unmasked frame, reserved
// bits or opcodes, a text that is not UTF-8, more than 1,024 fragments to a message, a binary message)
// gets a close frame and is cut off; so is one that sends pings and reads no answers, and one that has
// said nothing for HttpServerOptions::silence_timeout and then does not answer a ping for as long.
//
// Thread safety: belongs to one loop thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/http_message.h"

namespace mayfly {

class WebSocket {
 public:
  using OnText = std::function<void(std::string_view text)>;
  using Callback = std::function<void()>;

  static constexpr std::size_t kMaxMessageBytes = 64 << 10;

  /// Answers `request`'s handshake and takes the connection over. Null: it was no good handshake, or
  /// the connection cannot change its protocol; `response` has been answered (400, 403 or 426) then.
  /// An Origin that is neither absent nor of the request's own Host is refused (403): a foreign page
  /// must not read through its visitor's session.
  static std::shared_ptr<WebSocket> accept(const HttpRequest& request, ResponseWriter& response);

  /// The last pointer's end closes with 1001 (going away).
  virtual ~WebSocket() = default;
  /// `on_text` for each message (at most kMaxMessageBytes; a larger one closes with 1009); `on_closed`
  /// once, when the peer has closed, broke the protocol, or is gone; not after close().
  virtual void start(OnText on_text, Callback on_closed) = 0;
  /// One message. `text` is UTF-8. Nothing happens once it is closed.
  virtual void send_text(std::string_view text) = 0;
  /// Bytes that were sent but have not yet left: what a sender bounds its output by.
  virtual std::size_t queued() const = 0;
  /// Sends what is queued and a close frame, waits for the peer's for a moment. `reason`: at most 123 bytes.
  virtual void close(unsigned code, std::string_view reason) = 0;
};

}  // namespace mayfly
