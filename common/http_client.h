// HTTP requests on a libuv loop: libcurl's multi interface over uv_poll.
//
// Never follows redirects, reads no .netrc, sends no cookies, and uses no proxy towards loopback.
// Thread safety: belongs to the thread that runs the loop.
#pragma once

#include <uv.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mayfly {

struct HttpClientRequest {
  std::string url;  // http or https
  std::vector<std::pair<std::string, std::string>> headers;
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds total_timeout{15000};
  std::size_t max_body_bytes = 8 << 20;
};

struct HttpClientResponse {
  int status = 0;     // 0: no complete answer, `error` says why
  std::string body;   // complete when status is not 0
  std::string etag;   // of the last answer; empty: none
  std::string error;  // for people; empty when status is not 0
};

/// True for http(s)://localhost, 127.0.0.0/8 and [::1].
bool is_loopback_url(const std::string& url);
/// True where a key may be sent to: https anywhere, http on loopback only.
bool may_carry_key(const std::string& url);

class HttpClientCore;

class HttpClient {
 public:
  using Done = std::function<void(HttpClientResponse)>;
  using RequestId = std::uint64_t;

  /// `loop` outlives the client and is run once more after its destruction.
  explicit HttpClient(uv_loop_t* loop);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Starts a GET. `done` is called once from the loop, never from within this call; not after cancel().
  RequestId get(const HttpClientRequest& request, Done done);
  /// Forgets a request; an unknown id is ignored.
  void cancel(RequestId id);

 private:
  std::shared_ptr<HttpClientCore> core_;
};

}  // namespace mayfly
