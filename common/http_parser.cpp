#include "common/http_parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <utility>

#include "common/http_framing.h"
#include "common/http_parser_message.h"

namespace mayfly {
namespace {

namespace http = boost::beast::http;
using BeastError = boost::beast::error_code;

constexpr std::size_t kMaxBlankLines = 4;   // before a request line
constexpr std::size_t kMaxChunkHead = 24;   // CRLF, 16 digits, CRLF, and the CRLF behind the last chunk
constexpr std::size_t kKeptCapacity = 256;  // of an empty input buffer

std::string bytes_text(std::size_t bytes) { return std::to_string(bytes) + " bytes"; }

/// How much of `bytes` Beast shall look at as the head of a chunk: all of that head, or as much as
/// shows that it is none; 0: more is needed. A head consists of the CRLF of the chunk before it,
/// unless it is the first, a line, and an empty line if it is the last.
std::size_t chunk_head_size(std::string_view bytes, bool first) {
  constexpr std::string_view kEnd = "\r\n";
  std::size_t at = 0;
  if (!first) {
    if (bytes.size() < kEnd.size()) return 0;
    at = kEnd.size();
    if (bytes.substr(0, at) != kEnd) return at;
  }
  const std::size_t feed = bytes.find('\n', at);
  if (feed == std::string_view::npos) return 0;
  const std::string_view line = bytes.substr(at, feed - at);
  const bool last = line.find('0') == 0 && line.find_first_not_of("0\r") == std::string_view::npos;
  const std::size_t size = feed + 1 + (last ? kEnd.size() : 0);
  return size <= bytes.size() ? size : 0;
}

}  // namespace

HttpRequestParser::HttpRequestParser(std::size_t max_head_bytes, std::size_t max_body_bytes)
    : max_head_bytes_(max_head_bytes), max_body_bytes_(max_body_bytes) {}

HttpRequestParser::~HttpRequestParser() = default;

void HttpRequestParser::append(std::string_view bytes) {
  input_.erase(0, at_);
  at_ = 0;
  input_ += bytes;
}

void HttpRequestParser::consume(std::size_t size) {
  at_ += size;
  scanned_ = 0;
}

std::string HttpRequestParser::take_rest() {
  input_.erase(0, at_);
  at_ = 0;
  return std::exchange(input_, {});
}

bool HttpRequestParser::mid_request() const { return message_ != nullptr || buffered() > 0; }

bool HttpRequestParser::starved() const { return buffered() < kMaxChunkHead; }

bool HttpRequestParser::take_expects_continue() { return std::exchange(expects_continue_, false); }

HttpRequestParser::State HttpRequestParser::refuse(int status, std::string_view code, std::string detail) {
  refusal_ = std::make_unique<HttpRefusal>(HttpRefusal{status, code, std::move(detail)});
  input_ = std::string();
  at_ = 0;
  return State::refused;
}

void HttpRequestParser::refuse_body_size() {
  refuse(413, "body_too_large", "a body may have " + bytes_text(max_body_bytes_));
}

bool HttpRequestParser::skip_blank_lines() {
  while (unread().substr(0, 2) == "\r\n") {
    consume(2);
    if (++blank_lines_ <= kMaxBlankLines) continue;
    refuse(400, "bad_request", "too many blank lines before the request");
    return false;
  }
  return true;
}

std::size_t HttpRequestParser::find_head_end() {
  const std::string_view bytes = unread().substr(0, max_head_bytes_ + 1);
  for (std::size_t i = scanned_; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    const bool after_cr = i > 0 && bytes[i - 1] == '\r';
    const bool line_begins = i > 1 && bytes[i - 1] == '\n';
    if ((byte == '\n') != after_cr) {
      refuse(400, "bad_request", "a CR or LF that stands alone in the head of the request");
      return 0;
    }
    if ((byte < 0x20 && byte != '\t' && byte != '\r' && byte != '\n') || byte == 0x7f) {
      refuse(400, "bad_request", "a control character in the head of the request");
      return 0;
    }
    if (line_begins && (byte == ' ' || byte == '\t')) {
      refuse(400, "bad_request", "a folded header line");
      return 0;
    }
    if (byte == '\n' && i >= 3 && bytes[i - 2] == '\n') return i + 1;
  }
  scanned_ = bytes.size();
  return 0;
}

HttpRequestParser::State HttpRequestParser::next(const StreamsBody& streams) {
  if (refusal_) return State::refused;
  if (message_) return parse_body();
  if (!skip_blank_lines()) return State::refused;
  const std::size_t head = find_head_end();
  if (refusal_) return State::refused;
  if (head == 0 ? buffered() > max_head_bytes_ : head > max_head_bytes_) {
    return refuse(431, "head_too_large", "the head of a request may have " + bytes_text(max_head_bytes_));
  }
  if (head == 0) return State::need_more;
  const State parsed = parse_head(head);
  return parsed == State::ready ? accept_head(streams) : parsed;
}

HttpRequestParser::State HttpRequestParser::parse_head(std::size_t size) {
  message_ = std::make_unique<Message>(max_head_bytes_, max_body_bytes_);
  BeastError error;
  const std::size_t used = message_->put(boost::asio::const_buffer(unread().data(), size), error);
  if (error == http::error::bad_version) return refuse(505, "bad_version", "HTTP/1.1 and HTTP/1.0 only");
  if (error == http::error::header_limit) {
    return refuse(431, "too_many_headers",
                  "a request may have " + std::to_string(Message::kMaxFields) + " header lines");
  }
  if (error || !message_->is_header_done() || used != size) {
    return refuse(400, "bad_request", error ? error.message() : "the head of the request is malformed");
  }
  consume(size);
  blank_lines_ = 0;
  return State::ready;
}

HttpRequestParser::State HttpRequestParser::accept_head(const StreamsBody& streams) {
  ParsedRequest& parsed = message_->parsed;
  parsed.keep_alive = message_->keep_alive();
  std::string_view fault = message_->framing.fault(parsed.http_1_0);
  const bool names_host = parsed.request.header("host") != nullptr;
  if (fault.empty() && names_host && !is_valid_host(parsed.host)) fault = "Host is not the name of a host";
  if (fault.empty()) fault = split_target(message_->target, parsed.request, parsed.host);
  if (!fault.empty()) return refuse(400, "bad_request", std::string(fault));
  const std::string* expect = parsed.request.header("expect");
  expects_continue_ = expect != nullptr && to_lower(*expect) == "100-continue" && !message_->is_done();
  parsed.streamed = streams && streams(parsed.request);
  if (parsed.streamed) return State::ready;
  if (message_->content_length().value_or(0) > max_body_bytes_) {
    refuse_body_size();
    return State::refused;
  }
  return parse_body();
}

HttpRequestParser::State HttpRequestParser::parse_body() {
  std::string_view none;
  switch (step_body(none)) {
    case Body::complete:
      expects_continue_ = false;
      return State::ready;
    case Body::refused:
      return State::refused;
    default:
      return State::need_more;
  }
}

HttpRequestParser::Body HttpRequestParser::step_body(std::string_view& piece) {
  Message& message = *message_;
  while (!message.is_done()) {
    std::string_view bytes = unread();
    const bool head = message.at_chunk_head();
    // Whole heads only: Beast asserts where it gets the last one in pieces.
    if (head) {
      bytes = bytes.substr(0, kMaxChunkHead);
      bytes = bytes.substr(0, chunk_head_size(bytes, message.before_first_chunk()));
    }
    if (bytes.empty() && buffered() < kMaxChunkHead) return Body::need_more;
    if (bytes.empty()) {
      refuse(400, "bad_request", "the head of a chunk is too long");
      return Body::refused;
    }
    message.piece = {};
    BeastError error;
    const std::size_t used = message.put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
    consume(used);
    if (error == http::error::body_limit) {
      refuse_body_size();
      return Body::refused;
    }
    if (error || !message.fault.empty() || (head && used != bytes.size())) {
      const bool ours = !message.fault.empty() || !error || error == http::error::need_more;
      if (ours && message.fault.empty()) message.fault = "the head of a chunk is malformed";
      refuse(400, "bad_request", ours ? std::string(message.fault) : error.message());
      return Body::refused;
    }
    piece = message.piece;
    if (!piece.empty()) return Body::piece;
  }
  return Body::complete;
}

HttpRequestParser::Body HttpRequestParser::next_body(std::string_view& piece) {
  if (refusal_) return Body::refused;
  const Body body = message_ ? step_body(piece) : Body::complete;
  if (body == Body::complete) drop_body();
  return body;
}

bool HttpRequestParser::in_body() const {
  return message_ != nullptr && message_->parsed.streamed && !message_->is_done();
}

void HttpRequestParser::drop_body() {
  if (!message_ || !message_->parsed.streamed || !message_->is_done()) return;
  message_.reset();
  expects_continue_ = false;
  release_input();
}

void HttpRequestParser::release_input() {
  if (buffered() > 0 || input_.capacity() <= kKeptCapacity) return;
  input_ = std::string();
  at_ = 0;
}

ParsedRequest HttpRequestParser::take() {
  ParsedRequest parsed = std::move(message_->parsed);
  if (parsed.streamed) {
    message_->parsed = ParsedRequest();
    message_->parsed.streamed = true;
  } else {
    message_.reset();
    release_input();
  }
  return parsed;
}

}  // namespace mayfly
