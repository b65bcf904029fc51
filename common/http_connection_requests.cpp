// What comes in on a connection, and to whom it goes: the second part of http_connection.h.
#include <spdlog/spdlog.h>

#include <utility>

#include "common/http_byte_stream.h"
#include "common/http_connection.h"
#include "common/http_exchange.h"
#include "common/http_host.h"
#include "common/http_server_core.h"

namespace mayfly {
namespace {

constexpr std::size_t kMaxQueuedToPump = 256 << 10;  // answers that wait before more requests are taken
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

bool HttpConnection::may_pump() const {
  return phase_ == Phase::open && !busy_ && !body_ && queued() <= kMaxQueuedToPump;
}

void HttpConnection::pump() {
  pump_body();
  pump_stream();
  while (may_pump()) {
    parser_.drop_body();
    switch (parser_.next(server_->options().streams_body)) {
      case HttpRequestParser::State::need_more:
        if (parser_.take_expects_continue()) write(kContinue);
        if (eof_) phase_ = Phase::answering_last;
        return;
      case HttpRequestParser::State::refused: {
        const HttpRefusal& refusal = parser_.refusal();
        refuse(refusal.status, refusal.code, refusal.detail);
        return;
      }
      case HttpRequestParser::State::ready:
        dispatch(parser_.take());
        break;
    }
  }
}

void HttpConnection::pump_body() {
  const auto body = body_;
  while (body && body_ == body && body->flowing() && phase_ == Phase::open) {
    std::string_view piece;
    switch (parser_.next_body(piece)) {
      case HttpRequestParser::Body::piece:
        body->hand_over(piece);
        break;
      case HttpRequestParser::Body::need_more:
        if (eof_) end_body(false);
        return;
      case HttpRequestParser::Body::complete:
        return end_body(true);
      case HttpRequestParser::Body::refused:
        return refuse_body(parser_.refusal().status, parser_.refusal().code, parser_.refusal().detail);
    }
  }
}

void HttpConnection::pump_stream() {
  if (phase_ != Phase::upgraded) return;
  const auto stream = upgraded_.lock();
  while (stream && stream->flowing() && phase_ == Phase::upgraded && parser_.buffered() > 0) {
    stream->hand_over(parser_.take_rest());
  }
}

bool HttpConnection::host_allowed(const ParsedRequest& parsed) const {
  if (parsed.request.path == "/healthz" || parsed.request.path == "/readyz") return true;
  if (parsed.host.empty() && parsed.http_1_0) return true;  // no browser sends such a request
  return host_is_allowed(parsed.host, local_host_, server_->options().hosts);
}

void HttpConnection::dispatch(ParsedRequest parsed) {
  busy_ = true;
  since_ms_ = now_ms();
  parsed.request.peer = peer_;
  parsed.request.secure = tls_ != nullptr;
  auto exchange = std::make_shared<HttpExchange>(shared_from_this(), parsed);
  exchange_ = exchange;
  if (!host_allowed(parsed)) {
    ++server_->counts().refused_requests;
    send_problem(*exchange, 421, "wrong_host", "this listener does not answer to that Host name");
    return;
  }
  ++server_->counts().requests;
  if (parsed.streamed)
    parsed.request.body_reader = body_ = std::make_shared<HttpBodyReader>(shared_from_this());
  try {
    server_->handler()(std::move(parsed.request), std::move(exchange));
  } catch (const std::exception& failure) {
    // The pointer is gone with the unwinding: the reader has got its 500.
    spdlog::error("answering a request: {}", failure.what());
  }
}

void HttpConnection::refuse(int status, std::string_view code, const std::string& detail) {
  if (server_ != nullptr) ++server_->counts().refused_requests;
  ParsedRequest unknown;
  unknown.keep_alive = false;
  const auto exchange = std::make_shared<HttpExchange>(shared_from_this(), unknown);
  busy_ = true;
  exchange_ = exchange;
  send_problem(*exchange, status, code, detail);
}

void HttpConnection::refuse_body(int status, std::string_view code, const std::string& detail) {
  const auto exchange = exchange_.lock();
  const auto body = std::exchange(body_, nullptr);
  if (!body) return;
  ++server_->counts().refused_requests;
  if (exchange) exchange->refuse(status, code, detail);
  body->finish(false);
}

void HttpConnection::end_body(bool complete) {
  if (const auto body = std::exchange(body_, nullptr)) body->finish(complete);
}

void HttpConnection::body_wanted() {
  const auto exchange = exchange_.lock();
  if (parser_.take_expects_continue() && exchange && !exchange->begun()) write(kContinue);
  mark();
}

void HttpConnection::turn_away() {
  if (tls_) return close();  // a handshake only to say no costs more than it tells
  refuse(503, "too_many_connections", "too many connections; try again later");
}

void HttpConnection::exchange_done(bool keep_alive) {
  busy_ = false;
  exchange_.reset();
  since_ms_ = now_ms();
  if (phase_ != Phase::open) return;
  if (!keep_alive || mid_body()) phase_ = Phase::answering_last;
  if (const auto body = std::exchange(body_, nullptr)) {
    defer([body, complete = !mid_body()] { body->finish(complete); });
  }
  mark();
}

std::shared_ptr<HttpByteStream> HttpConnection::upgrade() {
  auto stream = std::make_shared<HttpByteStream>(shared_from_this());
  upgraded_ = stream;
  busy_ = false;
  exchange_.reset();
  phase_ = Phase::upgraded;
  heard_ms_ = now_ms();
  mark();
  return stream;
}

void HttpConnection::stream_done() {
  if (phase_ != Phase::upgraded) return;
  phase_ = Phase::answering_last;
  since_ms_ = now_ms();
  mark();
}

}  // namespace mayfly
