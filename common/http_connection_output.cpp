// What a connection sends, and how it ends: the second half of http_connection.h.
#include <utility>

#include "common/http_connection.h"
#include "common/http_exchange.h"
#include "common/http_server_core.h"

namespace mayfly {
namespace {

constexpr std::size_t kMaxKeptBytes = 256 << 10;  // of a buffer, between answers

}  // namespace

void HttpConnection::write(std::string_view data) {
  if (phase_ == Phase::closed) return;
  pending_ += data;
  mark();
}

std::size_t HttpConnection::queued() const {
  return pending_.size() + (writing_ ? uv_stream_get_write_queue_size(stream()) : 0);
}

void HttpConnection::flush() {
  if (writing_) return;
  if (pending_.empty()) return finish_after_flush();
  inflight_.clear();
  inflight_.swap(pending_);
  uv_buf_t buffer = uv_buf_init(inflight_.data(), static_cast<unsigned>(inflight_.size()));
  write_.data = this;
  writing_ = true;
  last_queue_ = inflight_.size();
  since_ms_ = now_ms();
  if (uv_write(&write_, stream(), &buffer, 1, on_written) != 0) {
    writing_ = false;
    close();
  }
}

void HttpConnection::on_written(uv_write_t* request, int status) {
  const auto self = static_cast<HttpConnection*>(request->data)->shared_from_this();
  self->writing_ = false;
  if (self->inflight_.capacity() > kMaxKeptBytes) {
    self->inflight_ = std::string();  // one large answer must not be paid for ever
  }
  if (self->phase_ == Phase::closed) return;
  if (status != 0) return self->close();
  self->since_ms_ = self->now_ms();
  self->mark();
}

void HttpConnection::finish_after_flush() {
  if (phase_ != Phase::answering_last || busy_) return;
  if (eof_) return close();
  phase_ = Phase::lingering;
  since_ms_ = now_ms();
  shutdown_.data = this;
  if (uv_shutdown(&shutdown_, stream(), [](uv_shutdown_t*, int) {}) != 0) return close();
  if (paused_) uv_read_start(stream(), on_alloc, on_read);
}

void HttpConnection::break_off() {
  if (phase_ == Phase::closed) return;
  if (!writing_ && !pending_.empty()) {
    const uv_buf_t buffer = uv_buf_init(pending_.data(), static_cast<unsigned>(pending_.size()));
    uv_try_write(stream(), &buffer, 1);  // the reader shall see that there was an answer, cut short
  }
  close();
}

void HttpConnection::close() {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  pending_ = std::string();
  const auto self = shared_from_this();
  if (const auto exchange = exchange_.lock()) exchange->reader_gone();
  uv_close(&handle_.any, on_closed);
  handle_.any.data = new std::shared_ptr<HttpConnection>(self);
  server_->forget(this);
  server_ = nullptr;
}

void HttpConnection::on_closed(uv_handle_t* handle) {
  delete static_cast<std::shared_ptr<HttpConnection>*>(handle->data);
}

}  // namespace mayfly
