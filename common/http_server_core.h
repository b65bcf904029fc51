// What the connections of one HttpServer share. Internal to http_server.cpp.
#pragma once

#include <uv.h>

#include <array>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "common/http_connection.h"
#include "common/http_server.h"

namespace mayfly {

class HttpListener;

class HttpServerCore : public std::enable_shared_from_this<HttpServerCore> {
 public:
  HttpServerCore(uv_loop_t* loop, HttpServerOptions options, HttpHandler handler);

  /// Starts the loop handles. They keep the core alive until they are closed.
  void start();
  shm::Result<std::uint16_t> listen_tcp(const std::string& host, std::uint16_t port);
  shm::Status listen_unix(const std::string& path, unsigned mode, std::optional<unsigned> group);
  shm::Status listen_fd(int fd);
  void close();

  // For listeners and connections:
  void accept(uv_stream_t* listener, bool is_tcp);
  /// False once so many were accepted in this turn of the loop that the connections there are come
  /// first; hold_back() has the listener's next one accepted in the next turn.
  bool may_accept() const { return accepts_left_ > 0; }
  void hold_back(HttpListener* listener) { held_back_.push_back(listener); }
  void mark(std::shared_ptr<HttpConnection> connection);
  /// Runs `call` once before the loop sleeps, from nobody's call.
  void defer(std::function<void()> call);
  void forget(HttpConnection* connection);
  uv_loop_t* loop() { return loop_; }
  const HttpServerOptions& options() const { return options_; }
  const HttpHandler& handler() const { return handler_; }
  HttpServerCounts& counts() { return counts_; }
  /// One buffer for every read of the loop: a read's callback consumes it at once.
  uv_buf_t read_buffer() {
    return uv_buf_init(read_buffer_.data(), static_cast<unsigned>(read_buffer_.size()));
  }

 private:
  static void on_prepare(uv_prepare_t* prepare);
  static void on_sweep(uv_timer_t* timer);
  void admit(HttpConnection& connection);
  std::size_t displace(const PeerSource* source);
  void accept_held_back();
  void service_marked();
  void sweep();
  shm::Status adopt(std::unique_ptr<HttpListener> listener);

  uv_loop_t* loop_;
  HttpServerOptions options_;
  HttpHandler handler_;
  HttpServerCounts counts_;
  ConnectionCounter admitted_;
  std::size_t accepts_left_;
  std::vector<HttpListener*> held_back_;
  std::uint64_t looked_in_vain_ms_ = 0;  // for connections to displace
  bool closed_ = false;
  uv_prepare_t prepare_;
  uv_idle_t again_;   // active while marks are left: keeps the loop from sleeping
  uv_timer_t sweep_;  // active while there are connections
  int open_handles_ = 0;
  std::shared_ptr<HttpServerCore> self_;  // while loop handles are open
  std::vector<std::unique_ptr<HttpListener>> listeners_;
  std::unordered_map<HttpConnection*, std::shared_ptr<HttpConnection>> connections_;
  std::vector<std::shared_ptr<HttpConnection>> marked_;
  std::vector<std::function<void()>> deferred_;
  std::array<char, 65536> read_buffer_;
};

}  // namespace mayfly
