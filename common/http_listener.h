// A listening socket of an HttpServer. Internal to http_server.cpp.
#pragma once

#include <uv.h>

#include <memory>
#include <optional>
#include <string>

#include "shm/result.h"

namespace mayfly {

class HttpServerCore;

class HttpListener {
 public:
  static shm::Result<std::unique_ptr<HttpListener>> tcp(HttpServerCore& server, const std::string& host,
                                                        std::uint16_t port);
  static shm::Result<std::unique_ptr<HttpListener>> unix_socket(HttpServerCore& server,
                                                                const std::string& path, unsigned mode,
                                                                std::optional<unsigned> group);
  static shm::Result<std::unique_ptr<HttpListener>> inherited(HttpServerCore& server, int fd);

  std::uint16_t port() const;
  /// Accepts the connection that had to wait for the loop's next turn.
  void accept_held_back();
  /// Closes the handle, which deletes itself with it; removes a socket file that was made here.
  static void close(std::unique_ptr<HttpListener> listener);

 private:
  HttpListener(HttpServerCore& server, bool is_tcp);
  static void on_connection(uv_stream_t* stream, int status);
  shm::Status listen(const std::string& what);

  HttpServerCore* server_;
  bool is_tcp_;
  std::string made_path_;
  union {
    uv_handle_t any;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } handle_;
};

}  // namespace mayfly
