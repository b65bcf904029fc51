#include "common/http_byte_stream.h"

#include <utility>

#include "common/http_connection.h"

namespace mayfly {

HttpByteStream::HttpByteStream(std::shared_ptr<HttpConnection> connection)
    : connection_(std::move(connection)) {}

HttpByteStream::~HttpByteStream() { close(); }

void HttpByteStream::start(OnData on_data, Callback on_closed) {
  if (on_data_) return;
  if (closed_) {
    connection_->defer(std::move(on_closed));
    return;
  }
  on_data_ = std::make_shared<const OnData>(std::move(on_data));
  on_closed_ = std::move(on_closed);
  connection_->mark();
}

void HttpByteStream::pause(bool paused) {
  paused_ = paused;
  connection_->mark();
}

void HttpByteStream::write(std::string_view data) {
  if (!closed_) connection_->write(data);
}

void HttpByteStream::on_silence(Callback callback) {
  on_silence_ = std::make_shared<const Callback>(std::move(callback));
}

void HttpByteStream::peer_silent() {
  const auto call = on_silence_;
  if (call && !closed_) (*call)();
}

std::size_t HttpByteStream::queued() const { return closed_ ? 0 : connection_->queued(); }

void HttpByteStream::close() {
  if (std::exchange(closed_, true)) return;
  on_closed_ = nullptr;
  on_silence_ = nullptr;
  connection_->stream_done();
}

void HttpByteStream::hand_over(std::string_view data) {
  const auto call = on_data_;
  (*call)(data);
}

void HttpByteStream::peer_gone() {
  if (std::exchange(closed_, true)) return;
  if (const Callback call = std::exchange(on_closed_, nullptr)) call();
}

}  // namespace mayfly
