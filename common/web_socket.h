// The server's side of a WebSocket (RFC 6455) on a ByteStream, by wslay.
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

  /// Answers `request`'s handshake and takes the connection over. Null: it was no good handshake, or
  /// the connection cannot change its protocol; `response` has been answered (400 or 426) then.
  /// An Origin that is neither absent nor of the request's own Host is refused (403): a foreign page
  /// must not read through its visitor's session.
  static std::shared_ptr<WebSocket> accept(const HttpRequest& request, ResponseWriter& response);

  virtual ~WebSocket() = default;
  /// `on_text` for each message (at most 64 KiB; a larger one closes with 1009); `on_closed` once.
  virtual void start(OnText on_text, Callback on_closed) = 0;
  virtual void send_text(std::string_view text) = 0;
  virtual std::size_t queued() const = 0;
  virtual void close(unsigned code, std::string_view reason) = 0;
};

}  // namespace mayfly
