// HTTP/1.1 requests on a libuv loop: libcurl's multi interface over uv_poll.
//
// Never follows redirects, reads no .netrc, sends no cookies, uses no proxy towards loopback, and
// sends an X-ApiKey header to loopback or over https only: elsewhere the request fails. Connections
// are kept and used again, without Nagle's algorithm; a peer that is silently gone is noticed within
// some 10 s, as long as nothing waits to be sent.
// Thread safety: belongs to the thread that runs the loop.
#pragma once

#include <uv.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mayfly {

struct HttpClientRequest {
  std::string url;  // http or https
  std::vector<std::pair<std::string, std::string>> headers;
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds total_timeout{15000};
  std::size_t max_body_bytes = 8 << 20;
  std::string ca_file;  // PEM: who may have signed the server's certificate; empty: the system's authorities
  bool names_itself = true;  // sends a User-Agent
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

/// The body of a POST that is sent while it comes into being. Calls after the end do nothing, nor
/// once the answer is there. When the last pointer goes before end(), that is an abort().
class HttpUpload {
 public:
  using Callback = std::function<void()>;

  virtual ~HttpUpload() = default;
  virtual void write(std::string_view data) = 0;
  /// The body is complete. Where fewer bytes came than were announced, the connection is cut and
  /// `done` gets an error; what is written beyond that length is ignored.
  virtual void end() = 0;
  /// Cuts the connection, so that the other end sees an incomplete body. `done` is not called.
  virtual void abort() = 0;
  /// Bytes that were written but have not been taken by the socket.
  virtual std::size_t queued() const = 0;
  /// Called once for each call of this, when queued() falls to `below` or less; never from within this call.
  virtual void on_drain(std::size_t below, Callback callback) = 0;
};

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
  /// Starts a POST. `length` nothing: chunked. Neither a time limit for the whole nor one for its
  /// answer applies; an answer that comes before the body's end ends the upload. `done` as for get().
  /// A small body of known length waits until it is complete, and leaves in one piece with the head.
  std::shared_ptr<HttpUpload> post(const HttpClientRequest& request, std::optional<std::uint64_t> length,
                                   Done done);
  /// True while a GET has its connection, and waits for the answer.
  bool awaits_answer(RequestId id) const;
  /// Breaks uploads off of which the other end has acknowledged nothing for so long: the network was
  /// away. Their `done` is called as for any connection that breaks.
  void break_stalled(std::chrono::milliseconds silence);
  /// Forgets a request; an unknown id is ignored.
  void cancel(RequestId id);

 private:
  std::shared_ptr<HttpClientCore> core_;
};

}  // namespace mayfly
