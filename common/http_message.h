// A request and the hand that answers it, free of where they come from: a listener of this program
// (http_server.h), or a tunnel. Handlers see nothing else.
//
// Thread safety: everything here belongs to one loop thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mayfly {

/// A request's body that is handed on while it arrives, at the pace of who takes it.
///
/// Nothing is read from the connection before read(), beyond what came with the head. An answer that
/// is complete before the body ends it, with on_end(false).
class BodyReader {
 public:
  using OnData = std::function<void(std::string_view data)>;
  /// `complete` false: the sender vanished, broke the framing, or was cut off.
  using OnEnd = std::function<void(bool complete)>;

  virtual ~BodyReader() = default;
  /// Starts. Each piece is handed over once, `on_end` last and once; neither from within this call.
  virtual void read(OnData on_data, OnEnd on_end) = 0;
  /// While true, no piece comes and the sender is held back by its socket. May be called from on_data.
  virtual void pause(bool paused) = 0;
};

/// Both directions of a connection that has left HTTP (101 Switching Protocols).
class ByteStream {
 public:
  using OnData = std::function<void(std::string_view data)>;
  using Callback = std::function<void()>;

  virtual ~ByteStream() = default;
  /// Starts reading. `on_closed` comes once, when the peer is gone or the server closes; not after close().
  virtual void start(OnData on_data, Callback on_closed) = 0;
  virtual void pause(bool paused) = 0;
  virtual void write(std::string_view data) = 0;
  /// `callback` comes each time that nothing has come from the peer for the server's silence_timeout
  /// while it was read from. Not after close().
  virtual void on_silence(Callback callback);
  /// Bytes that were written but have not yet left.
  virtual std::size_t queued() const = 0;
  /// Sends what is queued, then closes. The last pointer's end does it too.
  virtual void close() = 0;
};

/// Name and value. Requests: names in lower case. Responses: as they shall be sent.
using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;   // "GET", "HEAD", "POST", ..., letter case as sent
  std::string path;     // of the target, up to '?', still percent-encoded, begins with '/'
  std::string query;    // of the target, after '?', still percent-encoded; empty: none
  HttpHeaders headers;  // in order of arrival, names in lower case, values trimmed
  std::string body;     // complete, within the limits of the listener
  std::string peer;     // for people: "127.0.0.1:51000", "unix", "tunnel"
  bool tunnelled = false;
  bool secure = false;  // came over TLS of this program's own
  /// Instead of `body`, where the listener hands bodies on (HttpServerOptions::streams_body).
  std::shared_ptr<BodyReader> body_reader;

  /// The first header of that (lower case) name; null: none.
  const std::string* header(std::string_view name) const;
  bool is_head() const { return method == "HEAD"; }
};

/// The answer to one request. Either send() once, or begin(), write()..., end().
///
/// A handler may keep the pointer and answer later. When the last pointer goes before the answer is
/// complete, the server answers 500, or breaks the connection off if the head has been sent.
/// After closed() has become true, every call does nothing.
class ResponseWriter {
 public:
  using Callback = std::function<void()>;

  virtual ~ResponseWriter() = default;

  /// The whole answer: adds Content-Length, and for HEAD leaves the body out (a Content-Length among
  /// `headers` is kept there, and for 304). Connection, Transfer-Encoding and the like are left out,
  /// here and in begin(), and so is a header that would not end where it should.
  virtual void send(int status, const HttpHeaders& headers, std::string_view body) = 0;

  /// Starts a streamed answer. A Content-Length among `headers` is kept: a body that turns out
  /// shorter or longer than it breaks the answer off. For HEAD, and for 204 and 304, the answer is
  /// complete with this: closed() turns true.
  virtual void begin(int status, const HttpHeaders& headers) = 0;
  /// Queues bytes of the body. What is written within one turn of the loop leaves together.
  virtual void write(std::string_view data) = 0;
  /// Completes a streamed answer.
  virtual void end() = 0;
  /// Breaks off, so that the reader sees an incomplete answer.
  virtual void abort() = 0;

  /// Bytes that were written but have not yet left: what a handler bounds its output by.
  virtual std::size_t queued() const = 0;
  /// Called, once for each call of this, when queued() falls to `below` or less; never from within this call.
  virtual void on_drain(std::size_t below, Callback callback) = 0;
  /// Called once when the reader is gone before the answer was complete (also after a begin() that
  /// completed it: HEAD, 204, 304).
  virtual void on_closed(Callback callback) = 0;
  virtual bool closed() const = 0;
  /// Says that the answer has no end of its own (a stream, a long poll): a reader that closes its
  /// sending side counts as gone then, and one that reads slowly is not cut off while it reads at all (what
  /// does not move for HttpServerOptions::open_ended_stall_timeout is nobody's).
  virtual void set_open_ended() = 0;
  /// Answers 101 with `headers` and hands the connection over; this answer is complete then.
  /// Null: this is no connection that could change its protocol (a tunnel, HTTP/1.0).
  virtual std::shared_ptr<ByteStream> upgrade(const HttpHeaders& headers);
};

using ResponseWriterPtr = std::shared_ptr<ResponseWriter>;
using HttpHandler = std::function<void(HttpRequest request, ResponseWriterPtr response)>;

/// Answers with application/problem+json: status, title (of the status), detail, code (a stable
/// word such as "no_such_directory"). `more` is added to the headers.
void send_problem(ResponseWriter& response, int status, std::string_view code, std::string_view detail,
                  HttpHeaders more = {});

/// The body that send_problem() sends.
std::string problem_json(int status, std::string_view code, std::string_view detail);

/// "Not Found" for 404; "Status" for an unknown one.
std::string_view http_reason(int status);

/// True where `accept` (an Accept header; null: anything) names `type` ("text/plain") explicitly,
/// or a range of it other than */*, with q > 0.
bool accepts_explicitly(const std::string* accept, std::string_view type);

}  // namespace mayfly
