// Where a tail's messages go: a WebSocket, or the lines of an endless HTTP answer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/http_message.h"

namespace mayfly::loki {

/// Belongs to the loop's thread.
class TailOutput {
 public:
  virtual ~TailOutput() = default;
  /// One message: UTF-8, without a line end.
  virtual void send(std::string_view frame) = 0;
  /// Bytes that were sent but have not yet left.
  virtual std::size_t queued() const = 0;
  /// A sign of life, where the reader is one that waits for it: an empty line.
  virtual void keep_alive() = 0;
  /// Called once when the reader is gone.
  virtual void on_closed(std::function<void()> callback) = 0;
  /// Ends it for the reader.
  virtual void close(std::string_view reason) = 0;
};

/// What `request` wants: a WebSocket, or with `Accept: application/x-ndjson` one message a line.
/// Null: neither; `response` has been answered.
std::unique_ptr<TailOutput> open_tail_output(const HttpRequest& request, const ResponseWriterPtr& response);

}  // namespace mayfly::loki
