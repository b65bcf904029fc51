// One connection of an HttpServer: bytes in, answers out. Internal to http_server.cpp.
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/http_parser.h"

namespace mayfly {

class HttpServerCore;
class HttpExchange;

/// Kept alive by its server until its handle is closed, and by exchanges that still point to it.
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
  /// Judges by the clock of the loop, in milliseconds. Called by the server each second.
  void check_timeouts(std::uint64_t now_ms);
  /// Cuts off at once.
  void close();
  /// Sends what the socket takes now of what was written, then cuts off.
  void break_off();

  // For the exchange in progress:
  void write(std::string_view data);
  std::size_t queued() const;
  void exchange_done(bool keep_alive);
  void mark();
  void defer(std::function<void()> call);

 private:
  enum class Phase { open, answering_last, lingering, closed };

  static void on_alloc(uv_handle_t* handle, std::size_t, uv_buf_t* buffer);
  static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer);
  static void on_written(uv_write_t* request, int status);
  static void on_closed(uv_handle_t* handle);

  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&handle_); }
  const uv_stream_t* stream() const { return reinterpret_cast<const uv_stream_t*>(&handle_); }
  std::uint64_t now_ms() const;
  void name_peer();
  void received(std::string_view bytes);
  void half_closed();
  void pump();
  void dispatch(ParsedRequest parsed);
  void refuse(int status, std::string_view code, const std::string& detail);
  bool host_allowed(const ParsedRequest& parsed) const;
  bool may_pump() const;
  void flush();
  void finish_after_flush();
  void pause_reading(bool pause);

  HttpServerCore* server_;  // null once the server is gone
  union {
    uv_handle_t any;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } handle_;
  bool is_tcp_;
  std::string peer_;
  std::string local_host_;  // the address that the client connected to; empty on a unix socket
  HttpRequestParser parser_;
  std::weak_ptr<HttpExchange> exchange_;
  bool busy_ = false;  // an exchange is in progress
  bool marked_ = false;
  bool eof_ = false;
  bool paused_ = false;
  Phase phase_ = Phase::open;
  std::string pending_;
  std::string inflight_;
  uv_write_t write_;
  bool writing_ = false;
  uv_shutdown_t shutdown_;
  std::size_t lingered_bytes_ = 0;
  std::size_t last_queue_ = 0;
  std::uint64_t since_ms_ = 0;  // when the present state (request, idle, stall, linger) began
};

}  // namespace mayfly
