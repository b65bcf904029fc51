// One connection of an HttpServer: bytes in, answers out. Internal to http_server.cpp.
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/http_body_reader.h"
#include "common/http_parser.h"
#include "common/peer_source.h"
#include "common/tls_session.h"

namespace mayfly {

class HttpByteStream;
class HttpServerCore;
class HttpExchange;

/// Kept alive by its server until its handle is closed, and by exchanges, bodies and streams that
/// still point to it.
///
/// Nothing is dispatched, flushed or called back from within a handler's own calls: they mark the
/// connection, and the server services it once before the loop sleeps.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(HttpServerCore& server, bool is_tcp);

  /// Accepts from `listener` and starts reading. False: nothing was accepted, close() was called.
  bool accept(uv_stream_t* listener);
  /// Answers 503 and closes: one connection too many.
  void turn_away();
  /// Dispatches what has arrived, sends what was written, tells who waits. Called by the server.
  void service();
  /// Which wait has lasted too long by the clock of the loop, in milliseconds. Called by the server
  /// each second, and then cut_off() where one has.
  enum class Late { no, lingering, handshake, output, body, request, idle, silent };
  Late lateness(std::uint64_t now_ms);
  void cut_off(Late late);
  /// Whether closing it interrupts no answer, and since when (by the clock of the loop) that is so.
  bool displaceable() const;
  std::uint64_t since_ms() const { return since_ms_; }
  const PeerSource& source() const { return source_; }
  /// Set once the server has counted it in.
  bool counted = false;
  /// Cuts off at once.
  void close();
  /// Sends what the socket takes now of what was written, then cuts off. `reset`: the end of the
  /// connection would look like the end of the answer.
  void break_off(bool reset);

  // For the exchange in progress:
  void write(std::string_view data);
  std::size_t queued() const;
  void exchange_done(bool keep_alive);
  bool mid_body() const { return parser_.in_body(); }
  bool can_upgrade() const { return phase_ == Phase::open && !eof_ && !mid_body(); }
  std::shared_ptr<HttpByteStream> upgrade();

  // For its body and its stream:
  void body_wanted();
  void stream_done();

  // For all of them:
  void mark();
  void defer(std::function<void()> call);
  std::uint64_t now_ms() const;

 private:
  enum class Phase { open, upgraded, answering_last, lingering, closed };

  static void on_alloc(uv_handle_t* handle, std::size_t, uv_buf_t* buffer);
  static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer);
  static void on_written(uv_write_t* request, int status);
  static void on_closed(uv_handle_t* handle);

  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&handle_); }
  const uv_stream_t* stream() const { return reinterpret_cast<const uv_stream_t*>(&handle_); }
  void name_peer();
  void arrived(std::string_view bytes);
  void received(std::string_view bytes);
  void half_closed();
  bool wants_input() const;
  void update_reading();

  void pump();
  void pump_body();
  void pump_stream();
  void dispatch(ParsedRequest parsed);
  void refuse(int status, std::string_view code, const std::string& detail);
  /// The body is broken, or its sender too slow: the request is answered here.
  void refuse_body(int status, std::string_view code, const std::string& detail);
  void end_body(bool complete);
  bool host_allowed(const ParsedRequest& parsed) const;
  bool may_pump() const;

  bool has_output() const { return !pending_.empty() || (tls_ && tls_->has_output()); }
  std::string take_output();
  void flush();
  void finish_after_flush();
  void end_handle(bool reset);

  HttpServerCore* server_;  // null once the connection is closed
  std::weak_ptr<HttpServerCore> core_;
  union {
    uv_handle_t any;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } handle_;
  PeerSource source_;
  std::string peer_;
  std::string local_host_;  // the address that the client connected to; empty on a unix socket
  std::unique_ptr<TlsSession> tls_;
  HttpRequestParser parser_;
  std::weak_ptr<HttpExchange> exchange_;
  std::shared_ptr<HttpBodyReader> body_;  // of the request in progress, until its end
  std::weak_ptr<HttpByteStream> upgraded_;
  const bool is_tcp_;
  bool busy_ = false;  // an exchange is in progress
  bool marked_ = false;
  bool eof_ = false;
  bool reading_ = false;
  bool writing_ = false;
  Phase phase_ = Phase::open;
  std::string pending_;
  std::string inflight_;
  union {
    uv_write_t write_;
    uv_shutdown_t shutdown_;  // after the last write
  };
  std::size_t lingered_bytes_ = 0;
  std::size_t last_queue_ = 0;  // of what is in flight
  std::uint64_t heard_ms_ = 0;  // of a stream: when its peer said something last
  std::uint64_t since_ms_ = 0;  // when the present state (request, idle, stall, linger) began
};

}  // namespace mayfly
