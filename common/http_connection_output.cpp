// What a connection sends, and how it ends: the third part of http_connection.h.
#include <utility>

#include "common/http_byte_stream.h"
#include "common/http_connection.h"
#include "common/http_exchange.h"
#include "common/http_server_core.h"

namespace mayfly {
namespace {

constexpr std::size_t kMaxKeptBytes = 512;  // of a buffer, between answers: most connections wait

}  // namespace

void HttpConnection::write(std::string_view data) {
  if (phase_ == Phase::closed) return;
  pending_ += data;
  mark();
}

std::size_t HttpConnection::queued() const {
  return pending_.size() + (writing_ ? uv_stream_get_write_queue_size(stream()) : 0);
}

std::string HttpConnection::take_output() {
  if (!tls_) return std::exchange(pending_, {});
  tls_->send(pending_);
  pending_ = std::string();
  return tls_->take_output();
}

void HttpConnection::flush() {
  if (writing_) return;
  if (!has_output()) return finish_after_flush();
  if (tls_) {
    inflight_ = take_output();
  } else {
    inflight_.clear();
    inflight_.swap(pending_);
  }
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
  if (self->inflight_.capacity() > kMaxKeptBytes) self->inflight_ = std::string();
  if (self->phase_ == Phase::closed) return;
  if (status != 0) return self->close();
  self->since_ms_ = self->now_ms();
  self->mark();
}

void HttpConnection::finish_after_flush() {
  if (pending_.capacity() > kMaxKeptBytes) pending_ = std::string();
  if (phase_ != Phase::answering_last || busy_) return;
  if (tls_) {
    tls_->finish();
    if (tls_->has_output()) return flush();
  }
  if (eof_) return close();
  phase_ = Phase::lingering;
  since_ms_ = now_ms();
  shutdown_.data = this;
  if (uv_shutdown(&shutdown_, stream(), [](uv_shutdown_t*, int) {}) != 0) close();
}

void HttpConnection::break_off(bool reset) {
  if (phase_ == Phase::closed) return;
  if (!writing_ && has_output()) {
    const std::string output = take_output();
    const uv_buf_t buffer =
        uv_buf_init(const_cast<char*>(output.data()), static_cast<unsigned>(output.size()));
    uv_try_write(stream(), &buffer, 1);  // the reader shall see that there was an answer, cut short
  }
  end_handle(reset);
}

void HttpConnection::close() { end_handle(false); }

void HttpConnection::end_handle(bool reset) {
  if (phase_ == Phase::closed) return;
  const bool was_upgraded = phase_ == Phase::upgraded;
  phase_ = Phase::closed;
  pending_ = std::string();
  const auto self = shared_from_this();
  if (const auto exchange = exchange_.lock()) exchange->reader_gone();
  if (const auto body = std::exchange(body_, nullptr)) defer([body] { body->finish(false); });
  if (was_upgraded)
    defer([stream = upgraded_] {
      if (const auto held = stream.lock()) held->peer_gone();
    });
  if (!reset || !is_tcp_ || uv_tcp_close_reset(&handle_.tcp, on_closed) != 0) {
    uv_close(&handle_.any, on_closed);
  }
  handle_.any.data = new std::shared_ptr<HttpConnection>(self);
  server_->forget(this);
  server_ = nullptr;
}

void HttpConnection::on_closed(uv_handle_t* handle) {
  delete static_cast<std::shared_ptr<HttpConnection>*>(handle->data);
}

}  // namespace mayfly
