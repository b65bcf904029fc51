#include "common/http_connection.h"

#include <utility>

#include "common/dead_peer.h"
#include "common/http_byte_stream.h"
#include "common/http_exchange.h"
#include "common/http_server_core.h"

namespace mayfly {
namespace {

constexpr std::size_t kMaxLingerBytes = 1 << 20;  // read and thrown away after the last answer
constexpr std::uint64_t kLingerMs = 2000;

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

/// True for a byte that an HTTP request may begin with, and a TLS record may not.
bool begins_http(char byte) { return (byte >= 'A' && byte <= 'Z') || byte == '\r'; }

}  // namespace

HttpConnection::HttpConnection(HttpServerCore& server, bool is_tcp)
    : server_(&server),
      core_(server.weak_from_this()),
      parser_(server.options().max_head_bytes, server.options().max_body_bytes),
      is_tcp_(is_tcp) {
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
  const auto& tls = server_->options().tls;
  if (tls) tls_ = TlsSession::make(tls);
  if (uv_accept(listener, stream()) != 0 || (tls && !tls_)) {
    close();
    return false;
  }
  uv_os_fd_t fd = -1;
  if (uv_fileno(&handle_.any, &fd) == 0) {
    source_ = PeerSource::of(fd);
    if (is_tcp_) notice_dead_peer(fd);
  }
  if (is_tcp_) uv_tcp_nodelay(&handle_.tcp, 1);
  name_peer();
  update_reading();
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
    self->arrived({buffer->base, static_cast<std::size_t>(size)});
  } else if (size == UV_EOF) {
    self->half_closed();
  } else if (size < 0) {
    self->close();
  }
}

void HttpConnection::arrived(std::string_view bytes) {
  if (!tls_) return received(bytes);
  if (tls_->untouched() && begins_http(bytes[0])) {
    tls_.reset();  // so that the answer can be read
    return refuse(400, "tls_required", "this port speaks TLS: use https://");
  }
  std::string plain;
  const TlsSession::State state = tls_->receive(bytes, plain);
  if (tls_->has_output()) mark();
  if (!plain.empty()) received(plain);
  if (phase_ == Phase::closed || state == TlsSession::State::open) return;
  if (state == TlsSession::State::ended) return half_closed();
  if (!tls_->established()) ++server_->counts().refused_connections;
  break_off(false);  // with the alert
}

void HttpConnection::received(std::string_view bytes) {
  if (phase_ == Phase::answering_last || phase_ == Phase::lingering) {
    lingered_bytes_ += bytes.size();
  } else {
    if (!busy_ && !parser_.mid_request()) since_ms_ = now_ms();
    if (body_) body_->touch(now_ms());
    heard_ms_ = now_ms();
    parser_.append(bytes);
    pump();
    mark();
  }
  update_reading();  // now: libuv reads on without asking
}

void HttpConnection::half_closed() {
  eof_ = true;
  reading_ = false;
  uv_read_stop(stream());
  if (phase_ == Phase::lingering) return close();
  if (phase_ == Phase::upgraded) return close();
  const auto exchange = exchange_.lock();
  if (busy_ && exchange && exchange->open_ended()) return close();
  mark();
}

bool HttpConnection::wants_input() const {
  const auto& options = server_->options();
  const auto stream = upgraded_.lock();
  switch (phase_) {
    case Phase::open:
      if (body_) return body_->flowing() && parser_.starved();
      return parser_.buffered() <= options.max_head_bytes + options.max_body_bytes;
    case Phase::upgraded:
      return stream && stream->flowing();
    case Phase::answering_last:
    case Phase::lingering:
      return lingered_bytes_ <= kMaxLingerBytes;
    case Phase::closed:
      break;
  }
  return false;
}

void HttpConnection::update_reading() {
  if (phase_ == Phase::closed || eof_) return;
  const bool wanted = wants_input();
  if (wanted == reading_) return;
  reading_ = wanted;
  if (wanted) {
    uv_read_start(stream(), on_alloc, on_read);
  } else {
    uv_read_stop(stream());
  }
}

void HttpConnection::mark() {
  if (marked_ || server_ == nullptr || phase_ == Phase::closed) return;
  marked_ = true;
  server_->mark(shared_from_this());
}

void HttpConnection::defer(std::function<void()> call) {
  if (const auto core = core_.lock()) core->defer(std::move(call));
}

void HttpConnection::service() {
  marked_ = false;
  if (phase_ == Phase::closed) return;
  if (const auto exchange = exchange_.lock(); exchange && exchange->wants_drain()) exchange->drained();
  pump();
  if (phase_ != Phase::closed) flush();
  update_reading();
  if (const auto exchange = exchange_.lock(); exchange && exchange->wants_drain()) mark();
}

HttpConnection::Late HttpConnection::lateness(std::uint64_t now) {
  if (phase_ == Phase::closed) return Late::no;
  const auto& options = server_->options();
  const auto expired = [now](std::uint64_t since, std::chrono::seconds limit) {
    return now > since + static_cast<std::uint64_t>(limit.count()) * 1000;
  };
  if (phase_ == Phase::lingering) return now > since_ms_ + kLingerMs ? Late::lingering : Late::no;
  if (tls_ && !tls_->established())
    return expired(since_ms_, options.request_timeout) ? Late::handshake : Late::no;
  if (body_ && body_->flowing() && expired(body_->waiting_since_ms(), options.body_timeout))
    return Late::body;
  const bool streams = phase_ == Phase::upgraded;
  if (writing_ || has_output()) {
    // What is in flight only shrinks; what waits behind it may grow meanwhile.
    const std::size_t queue = writing_ ? uv_stream_get_write_queue_size(stream()) : last_queue_;
    if (queue < last_queue_) since_ms_ = now;
    last_queue_ = queue;
    const auto exchange = exchange_.lock();
    const bool open_ended = streams || (exchange && exchange->open_ended());
    const auto limit = open_ended ? options.open_ended_stall_timeout : options.stall_timeout;
    if (expired(since_ms_, limit)) return Late::output;
    if (!streams) return Late::no;
  }
  if (streams) {
    const auto stream = upgraded_.lock();
    const bool listening = stream && stream->flowing();
    return listening && expired(heard_ms_, options.silence_timeout) ? Late::silent : Late::no;
  }
  if (busy_) return Late::no;
  if (parser_.mid_request()) return expired(since_ms_, options.request_timeout) ? Late::request : Late::no;
  return expired(since_ms_, options.idle_timeout) ? Late::idle : Late::no;
}

bool HttpConnection::displaceable() const {
  return phase_ == Phase::open && !busy_ && !body_ && !writing_ && !has_output();
}

void HttpConnection::cut_off(Late late) {
  if (phase_ == Phase::closed) return;
  if (late == Late::silent) {
    heard_ms_ = now_ms();
    if (const auto stream = upgraded_.lock()) stream->peer_silent();
    return;
  }
  if (late != Late::lingering) ++server_->counts().timeouts;
  if (late == Late::request) return refuse(408, "too_slow", "the request did not arrive in time");
  if (late == Late::body) return refuse_body(408, "too_slow", "the body of the request stopped coming");
  close();
}

}  // namespace mayfly
