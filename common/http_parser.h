// One connection's requests, out of its bytes: Boost.Beast's parser, and the checks that Beast
// leaves to its users (http_framing.h). No I/O.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/http_message.h"

namespace mayfly {

/// Why a request is refused; the connection cannot go on after it.
struct HttpRefusal {
  int status = 400;
  std::string_view code;  // stable word
  std::string detail;
};

/// A complete request, or one whose body is still to come, and what its connection has to know about it.
struct ParsedRequest {
  HttpRequest request;
  std::string host;  // of the Host field or the target, with its port; empty for HTTP/1.0 without one
  bool keep_alive = true;
  bool http_1_0 = false;
  bool streamed = false;  // the body comes by next_body()
};

/// Holds nothing on the heap between requests, nor while a request that was taken is answered.
class HttpRequestParser {
 public:
  enum class State { need_more, ready, refused };
  enum class Body { need_more, piece, complete, refused };
  /// Asked when a head is there: shall next_body() hand its body on?
  using StreamsBody = std::function<bool(const HttpRequest& head)>;

  HttpRequestParser(std::size_t max_head_bytes, std::size_t max_body_bytes);
  ~HttpRequestParser();

  /// Adds bytes as they came.
  void append(std::string_view bytes);
  /// Goes on with what is there. After `ready`, take() first, and the body if it is streamed; after
  /// `refused`, nothing more.
  State next(const StreamsBody& streams = {});
  ParsedRequest take();
  const HttpRefusal& refusal() const { return *refusal_; }

  /// Of a streamed body: `piece` is valid until the next call of this, next() or append().
  Body next_body(std::string_view& piece);
  /// True where a streamed body is not complete: what follows is not the next request.
  bool in_body() const;
  /// Forgets a streamed body that is complete, so that next() can go on; otherwise nothing.
  void drop_body();

  /// Takes away the bytes that wait to be parsed: they are no HTTP any more.
  std::string take_rest();
  /// Bytes that wait to be parsed.
  std::size_t buffered() const { return input_.size() - at_; }
  /// True where a streamed body cannot go on with what is there.
  bool starved() const;
  /// True where a request has begun and is not complete.
  bool mid_request() const;
  /// True once for each request whose client waits for "100 Continue" before it sends the body.
  bool take_expects_continue();

 private:
  class Message;

  std::string_view unread() const { return std::string_view(input_).substr(at_); }
  void consume(std::size_t size);
  void release_input();
  State refuse(int status, std::string_view code, std::string detail);
  void refuse_body_size();
  /// False: refused, too many of them.
  bool skip_blank_lines();
  /// Looks for the end of the head; 0: not there yet. Refuses bytes that no head may hold.
  std::size_t find_head_end();
  State parse_head(std::size_t size);
  State accept_head(const StreamsBody& streams);
  State parse_body();
  Body step_body(std::string_view& piece);

  std::size_t max_head_bytes_;
  std::size_t max_body_bytes_;
  std::string input_;
  std::size_t at_ = 0;           // of input_: what comes before is parsed
  std::size_t scanned_ = 0;      // of what is unread: already known to hold no end of head
  std::size_t blank_lines_ = 0;  // before the head
  bool expects_continue_ = false;
  std::unique_ptr<Message> message_;  // from a complete head to the end of the body
  std::unique_ptr<HttpRefusal> refusal_;
};

}  // namespace mayfly
