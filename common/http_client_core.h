// libcurl's multi interface on a uv loop. Internal to http_client.cpp.
#pragma once

#include <curl/curl.h>
#include <uv.h>

#include <memory>
#include <unordered_map>

#include "common/http_client.h"

namespace mayfly {

/// One request on its way.
struct HttpTransfer {
  HttpClient::RequestId id = 0;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  HttpClientResponse response;
  std::size_t max_body_bytes = 0;
  bool body_too_large = false;
  HttpClient::Done done;
  char error[CURL_ERROR_SIZE] = "";

  HttpTransfer() = default;
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;
  ~HttpTransfer();
};

class HttpClientCore : public std::enable_shared_from_this<HttpClientCore> {
 public:
  explicit HttpClientCore(uv_loop_t* loop);
  ~HttpClientCore();

  /// Starts the loop handles, which keep the core alive until close().
  void start();
  void close();
  HttpClient::RequestId get(const HttpClientRequest& request, HttpClient::Done done);
  void cancel(HttpClient::RequestId id);

 private:
  struct Socket;

  static int on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* socket);
  static int on_timeout(CURLM* multi, long timeout_ms, void* user);
  static void on_poll(uv_poll_t* poll, int status, int events);
  static void on_timer(uv_timer_t* timer);
  void watch(curl_socket_t fd, int what, Socket* socket);
  void act(curl_socket_t fd, int events);
  void collect_finished();
  void finish(CURL* easy, CURLcode code);

  uv_loop_t* loop_;
  CURLM* multi_ = nullptr;
  uv_timer_t timer_;
  bool closed_ = false;
  HttpClient::RequestId last_id_ = 0;
  std::unordered_map<HttpClient::RequestId, std::unique_ptr<HttpTransfer>> transfers_;
  std::shared_ptr<HttpClientCore> self_;
};

}  // namespace mayfly
