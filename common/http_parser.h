// One connection's requests, out of its bytes: Boost.Beast's parser, and the checks that Beast
// leaves to its users. No I/O.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstddef>
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

/// A complete request and what its connection has to know about it.
struct ParsedRequest {
  HttpRequest request;
  std::string host;  // of the Host field or the target, with its port; empty for HTTP/1.0 without one
  bool keep_alive = true;
  bool http_1_0 = false;
};

class HttpRequestParser {
 public:
  enum class State { need_more, ready, refused };

  HttpRequestParser(std::size_t max_head_bytes, std::size_t max_body_bytes);
  ~HttpRequestParser();

  /// Adds bytes as they came.
  void append(std::string_view bytes);
  /// Goes on with what is there. After `ready`, take() first; after `refused`, nothing more.
  State next();
  ParsedRequest take();
  const HttpRefusal& refusal() const { return refusal_; }

  /// Bytes that wait to be parsed.
  std::size_t buffered() const { return input_.size(); }
  /// True where a request has begun and is not complete.
  bool mid_request() const;
  /// True once for each request whose client waits for "100 Continue" before it sends the body.
  bool take_expects_continue();

 private:
  struct Message;

  State refuse(int status, std::string_view code, std::string detail);
  void skip_blank_lines();
  /// Looks for the end of the head; 0: not there yet. Refuses bytes that no head may hold.
  std::size_t find_head_end();
  State parse_head(std::size_t size);
  State accept_head();
  State parse_body();

  std::size_t max_head_bytes_;
  std::size_t max_body_bytes_;
  std::string input_;
  std::size_t scanned_ = 0;  // of input_, already known to hold no end of head
  std::unique_ptr<Message> message_;
  bool head_done_ = false;
  bool expects_continue_ = false;
  bool refused_ = false;
  ParsedRequest parsed_;
  HttpRefusal refusal_;
};

}  // namespace mayfly
