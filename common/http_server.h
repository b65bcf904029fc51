// An HTTP/1.1 server on a libuv loop: listeners, connections, limits. What requests mean is the
// handler's business (http_message.h).
//
// Refused with an application/problem+json answer and a close: heads over the limit or of more than
// 100 header lines (431), bodies over the limit (413), anything that a second parser could read
// differently (400): a bare CR or LF, NUL, folded lines, two Content-Length, Content-Length beside
// Transfer-Encoding, a Transfer-Encoding other than `chunked`, chunk extensions, trailers, no Host or
// two or one that is no host's name, a target that names another. tests/data/framing.json has them
// all. A Host that is not in the allow-list: 421, but for /healthz and /readyz. Pipelined requests are
// answered one after the other.
//
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
#include <vector>

#include "common/http_message.h"
#include "shm/result.h"

namespace mayfly {

class TlsContext;

struct HttpServerOptions {
  /// Host names to answer to, besides loopback names and the address that the client connected to.
  std::vector<std::string> hosts;
  /// Over all listeners, and of one source (peer_source.h). For one more, connections that are idle, or
  /// whose request has not arrived yet, are closed, those that have been so for the longest time first;
  /// where there is none, it gets 503 and a close.
  std::size_t max_connections = 1280;
  std::size_t max_connections_per_source = 1024;
  std::size_t max_head_bytes = 16 << 10;
  std::size_t max_body_bytes = 64 << 10;
  /// Asked once the head of a request is there. True: the handler is called at once and takes the
  /// body (an empty one too) through HttpRequest::body_reader, without limit of size; at most 64 KiB
  /// of it wait here. An answer that is complete before the body is sent with `Connection: close`,
  /// the rest of the body read for a moment (2 s, 1 MiB), then closed. A body whose framing breaks is
  /// answered here, as if its sender was gone.
  std::function<bool(const HttpRequest& head)> streams_body;
  /// Null: in the clear. Otherwise a handshake has `request_timeout`, and a request in the clear gets
  /// a 400 that says so.
  std::shared_ptr<TlsContext> tls;
  std::chrono::seconds request_timeout{10};            // from a request's first byte to its last
  std::chrono::seconds idle_timeout{75};               // between requests
  std::chrono::seconds stall_timeout{60};              // an answer of which nothing leaves
  std::chrono::seconds open_ended_stall_timeout{900};  // the same, of one without an end, and of a stream
  std::chrono::seconds silence_timeout{60};  // after which a stream's owner is told (ByteStream::on_silence)
  std::chrono::seconds body_timeout{600};    // between two bytes of a streamed body that its taker waits for
};

struct HttpServerCounts {
  std::uint64_t connections = 0;       // open now
  std::uint64_t requests = 0;          // handed to the handler
  std::uint64_t refused_requests = 0;  // answered by the server itself: 400, 413, 421, 431 ...
  std::uint64_t refused_connections = 0;
  std::uint64_t displaced_connections = 0;  // closed for one more
  std::uint64_t timeouts = 0;               // cut off for taking too long

  /// Adds what another server counted; its connections are gone.
  HttpServerCounts& operator+=(const HttpServerCounts& past);
};

class HttpServerCore;

class HttpServer {
 public:
  /// `loop` outlives the server and is run once more after its destruction (handles close there).
  /// `handler` is called on the loop, once for each request.
  HttpServer(uv_loop_t* loop, HttpServerOptions options, HttpHandler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Listens on a numeric address or "localhost"; port 0 takes a free one. Returns the port.
  /// Errors: busy (in use), invalid (not an address), io.
  shm::Result<std::uint16_t> listen_tcp(const std::string& host, std::uint16_t port);
  /// Listens on a unix socket; a stale socket file is replaced, a live one is busy. The file is
  /// removed by close(). Errors: busy, io.
  shm::Status listen_unix(const std::string& path, unsigned mode, std::optional<unsigned> group);
  /// Takes over a listening stream socket (TCP or unix). Errors: invalid, io.
  shm::Status listen_fd(int fd);

  /// Stops listening and cuts off every connection. Idempotent; the destructor does it too.
  void close();

  HttpServerCounts counts() const;

 private:
  std::shared_ptr<HttpServerCore> core_;
};

}  // namespace mayfly
