// libcurl's multi interface on a uv loop. Internal to http_client*.cpp.
#pragma once

#include <curl/curl.h>
#include <uv.h>

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "common/http_client.h"
#include "common/http_upload.h"
#include "common/loop_timer.h"

namespace mayfly {

/// One request on its way.
struct HttpTransfer {
  HttpClientCore* core = nullptr;
  HttpClient::RequestId id = 0;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  HttpClientResponse response;
  std::size_t max_body_bytes = 0;
  bool body_too_large = false;
  bool started = false;      // libcurl has it
  bool peer_closed = false;  // before an upload was complete
  std::optional<UploadQueue> upload;
  HttpClient::Done done;
  char error[CURL_ERROR_SIZE] = "";

  HttpTransfer() = default;
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;
  ~HttpTransfer();
  void add_header(const std::string& line) { headers = curl_slist_append(headers, line.c_str()); }
};

class HttpClientCore : public std::enable_shared_from_this<HttpClientCore> {
 public:
  explicit HttpClientCore(uv_loop_t* loop);
  ~HttpClientCore();

  /// Starts the loop handles, which keep the core alive until close().
  void start();
  void close();
  HttpClient::RequestId get(const HttpClientRequest& request, HttpClient::Done done);
  HttpClient::RequestId post(const HttpClientRequest& request, std::optional<std::uint64_t> length,
                             HttpClient::Done done);
  bool awaits_answer(HttpClient::RequestId id) const;
  void cancel(HttpClient::RequestId id);

  // For uploads:
  /// Null: the request is over.
  UploadQueue* upload(HttpClient::RequestId id);
  /// There is more to send, or its end.
  void upload_grew(HttpClient::RequestId id);
  /// Calls look_after() from the loop.
  void look_soon(HttpClient::RequestId id);
  /// Calls look_after() when libcurl has returned.
  void look_later(HttpClient::RequestId id) { looks_.push_back(id); }

 private:
  struct Socket;

  static int on_socket(CURL* easy, curl_socket_t fd, int what, void* user, void* socket);
  static int on_timeout(CURLM* multi, long timeout_ms, void* user);
  static void on_poll(uv_poll_t* poll, int status, int events);
  static void on_timer(uv_timer_t* timer);
  void watch(curl_socket_t fd, int what, Socket* socket);
  void act(curl_socket_t fd, int events);
  HttpTransfer& add(const HttpClientRequest& request, HttpClient::Done done);
  void launch(HttpTransfer& transfer);
  void collect_finished();
  void finish(CURL* easy, CURLcode code);
  void conclude(HttpClient::RequestId id, HttpClientResponse response);
  void look_after_all();
  /// An upload's answer that came early ends it, and so does a peer that closed; an emptied queue is
  /// told to its writer.
  void look_after(HttpClient::RequestId id);

  uv_loop_t* loop_;
  CURLM* multi_ = nullptr;
  uv_timer_t timer_;
  bool closed_ = false;
  HttpClient::RequestId last_id_ = 0;
  std::unordered_map<HttpClient::RequestId, std::unique_ptr<HttpTransfer>> transfers_;
  std::vector<HttpClient::RequestId> looks_;
  std::optional<LoopTimer> soon_;
  std::shared_ptr<HttpClientCore> self_;
};

/// Everything about a request that does not change while it runs; http_transfer.cpp.
void set_up_transfer(HttpTransfer& transfer, const HttpClientRequest& request);
/// Makes it a POST of transfer.upload. Small bodies must be complete.
void set_up_upload(HttpTransfer& transfer);
/// True for a body that leaves in one piece with its head.
bool leaves_at_once(const UploadQueue& upload);

}  // namespace mayfly
