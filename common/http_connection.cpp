#include "common/http_connection.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "common/http_exchange.h"
#include "common/http_host.h"
#include "common/http_server_core.h"

namespace mayfly {
namespace {

constexpr std::size_t kMaxQueuedToPump = 256 << 10;  // answers that wait before more requests are taken
constexpr std::size_t kMaxLingerBytes = 1 << 20;     // read and thrown away after the last answer
constexpr std::uint64_t kLingerMs = 2000;
constexpr unsigned kKeepAliveSeconds = 60;

/// "127.0.0.1" and its port out of an address.
std::string address_text(const sockaddr_storage& address, unsigned& port) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
    uv_ip6_name(v6, text, sizeof(text));
    port = ntohs(v6->sin6_port);
  } else {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
    uv_ip4_name(v4, text, sizeof(text));
    port = ntohs(v4->sin_port);
  }
  return text;
}

}  // namespace

HttpConnection::HttpConnection(HttpServerCore& server, bool is_tcp)
    : server_(&server),
      is_tcp_(is_tcp),
      parser_(server.options().max_head_bytes, server.options().max_body_bytes) {
  if (is_tcp) {
    uv_tcp_init(server.loop(), &handle_.tcp);
  } else {
    uv_pipe_init(server.loop(), &handle_.pipe, 0);
  }
  handle_.any.data = this;
}

std::uint64_t HttpConnection::now_ms() const { return uv_now(handle_.any.loop); }

bool HttpConnection::accept(uv_stream_t* listener) {
  since_ms_ = now_ms();
  if (uv_accept(listener, stream()) != 0) {
    close();
    return false;
  }
  if (is_tcp_) {
    uv_tcp_nodelay(&handle_.tcp, 1);
    uv_tcp_keepalive(&handle_.tcp, 1, kKeepAliveSeconds);
  }
  name_peer();
  uv_read_start(stream(), on_alloc, on_read);
  return true;
}

void HttpConnection::name_peer() {
  peer_ = "unix";
  if (!is_tcp_) return;
  sockaddr_storage address{};
  unsigned port = 0;
  int size = sizeof(address);
  if (uv_tcp_getpeername(&handle_.tcp, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    peer_ = address_text(address, port);
    peer_ += ":" + std::to_string(port);
  }
  size = sizeof(address);
  if (uv_tcp_getsockname(&handle_.tcp, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    local_host_ = address_text(address, port);
  }
}

void HttpConnection::on_alloc(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
  auto* self = static_cast<HttpConnection*>(handle->data);
  *buffer = self->server_ != nullptr ? self->server_->read_buffer() : uv_buf_init(nullptr, 0);
}

void HttpConnection::on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
  const auto self = static_cast<HttpConnection*>(stream->data)->shared_from_this();
  if (size > 0) {
    self->received({buffer->base, static_cast<std::size_t>(size)});
  } else if (size == UV_EOF) {
    self->half_closed();
  } else if (size < 0) {
    self->close();
  }
}

void HttpConnection::received(std::string_view bytes) {
  if (phase_ != Phase::open) {
    lingered_bytes_ += bytes.size();
    if (lingered_bytes_ > kMaxLingerBytes) close();
    return;
  }
  if (!busy_ && !parser_.mid_request()) since_ms_ = now_ms();
  parser_.append(bytes);
  pump();
  if (phase_ == Phase::closed) return;
  const auto& options = server_->options();
  if (phase_ == Phase::open && parser_.buffered() > options.max_head_bytes + options.max_body_bytes) {
    pause_reading(true);
  }
  mark();
}

void HttpConnection::half_closed() {
  eof_ = true;
  uv_read_stop(stream());
  if (phase_ == Phase::lingering) return close();
  const auto exchange = exchange_.lock();
  if (busy_ && exchange && exchange->open_ended()) return close();
  mark();
}

void HttpConnection::pause_reading(bool pause) {
  if (paused_ == pause || eof_ || phase_ != Phase::open) return;
  paused_ = pause;
  if (pause) {
    uv_read_stop(stream());
  } else {
    uv_read_start(stream(), on_alloc, on_read);
  }
}

bool HttpConnection::may_pump() const {
  return phase_ == Phase::open && !busy_ && queued() <= kMaxQueuedToPump;
}

void HttpConnection::pump() {
  while (may_pump()) {
    switch (parser_.next()) {
      case HttpRequestParser::State::need_more:
        if (parser_.take_expects_continue()) write("HTTP/1.1 100 Continue\r\n\r\n");
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

bool HttpConnection::host_allowed(const ParsedRequest& parsed) const {
  if (parsed.request.path == "/healthz" || parsed.request.path == "/readyz") return true;
  if (parsed.host.empty() && parsed.http_1_0) return true;  // no browser sends such a request
  return host_is_allowed(parsed.host, local_host_, server_->options().hosts);
}

void HttpConnection::dispatch(ParsedRequest parsed) {
  busy_ = true;
  since_ms_ = now_ms();
  parsed.request.peer = peer_;
  auto exchange = std::make_shared<HttpExchange>(shared_from_this(), parsed);
  exchange_ = exchange;
  if (!host_allowed(parsed)) {
    ++server_->counts().refused_requests;
    send_problem(*exchange, 421, "wrong_host", "this listener does not answer to that Host name");
    return;
  }
  ++server_->counts().requests;
  try {
    server_->handler()(std::move(parsed.request), std::move(exchange));
  } catch (const std::exception& failure) {
    // The pointer is gone with the unwinding: the reader has got its 500.
    spdlog::error("answering a request: {}", failure.what());
  }
}

void HttpConnection::refuse(int status, std::string_view code, const std::string& detail) {
  if (server_ != nullptr) ++server_->counts().refused_requests;
  const auto exchange =
      std::make_shared<HttpExchange>(shared_from_this(), ParsedRequest{{}, {}, false, false});
  busy_ = true;
  exchange_ = exchange;
  send_problem(*exchange, status, code, detail);
}

void HttpConnection::turn_away() {
  refuse(503, "too_many_connections", "too many connections; try again later");
}

void HttpConnection::exchange_done(bool keep_alive) {
  busy_ = false;
  exchange_.reset();
  since_ms_ = now_ms();
  if (phase_ != Phase::open) return;
  if (!keep_alive) phase_ = Phase::answering_last;
  mark();
}

void HttpConnection::mark() {
  if (marked_ || server_ == nullptr || phase_ == Phase::closed) return;
  marked_ = true;
  server_->mark(shared_from_this());
}

void HttpConnection::defer(std::function<void()> call) {
  if (server_ != nullptr) server_->defer(std::move(call));
}

void HttpConnection::service() {
  marked_ = false;
  if (phase_ == Phase::closed) return;
  if (const auto exchange = exchange_.lock(); exchange && exchange->wants_drain()) exchange->drained();
  pump();
  if (phase_ != Phase::closed) flush();
  if (phase_ == Phase::closed) return;
  const auto& options = server_->options();
  if (parser_.buffered() <= options.max_head_bytes) pause_reading(false);
  if (const auto exchange = exchange_.lock(); exchange && exchange->wants_drain()) mark();
}

void HttpConnection::check_timeouts(std::uint64_t now) {
  if (phase_ == Phase::closed) return;
  const auto& options = server_->options();
  const std::uint64_t waited = now - since_ms_;
  const auto expired = [waited](std::chrono::seconds limit) {
    return waited > static_cast<std::uint64_t>(limit.count()) * 1000;
  };
  const auto exchange = exchange_.lock();
  if (phase_ == Phase::lingering) {
    if (waited > kLingerMs) close();
  } else if (writing_ || !pending_.empty()) {
    const std::size_t queue = queued();
    if (queue < last_queue_) since_ms_ = now;
    last_queue_ = queue;
    if (exchange && exchange->open_ended()) return;
    if (!expired(options.stall_timeout)) return;
    ++server_->counts().timeouts;
    close();
  } else if (!busy_ && parser_.mid_request()) {
    if (!expired(options.request_timeout)) return;
    ++server_->counts().timeouts;
    refuse(408, "too_slow", "the request did not arrive in time");
  } else if (!busy_ && expired(options.idle_timeout)) {
    ++server_->counts().timeouts;
    close();
  }
}

}  // namespace mayfly
