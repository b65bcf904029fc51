#include "common/http_parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <limits>
#include <utility>

#include "common/http_framing.h"

namespace mayfly {
namespace {

namespace http = boost::beast::http;
using BeastError = boost::beast::error_code;
using BeastText = boost::beast::string_view;

constexpr std::size_t kMaxFields = 100;
constexpr std::size_t kMaxBlankLines = 4;   // before a request line
constexpr std::size_t kMaxChunkHead = 24;   // CRLF, 16 digits, CRLF, and the CRLF behind the last chunk
constexpr std::size_t kKeptCapacity = 256;  // of an empty input buffer

std::string_view view(BeastText text) { return {text.data(), text.size()}; }

std::string bytes_text(std::size_t bytes) { return std::to_string(bytes) + " bytes"; }

}  // namespace

/// Beast's parser, writing straight into a ParsedRequest.
class HttpRequestParser::Message final : public http::basic_parser<true> {
 public:
  Message(std::size_t max_head_bytes, std::size_t max_body_bytes) : room_(max_body_bytes) {
    header_limit(static_cast<std::uint32_t>(max_head_bytes) + 1);
    // Counted here: whether a limit holds is known only after the head. (`none` refuses everything.)
    body_limit(std::numeric_limits<std::uint64_t>::max());
  }

  ParsedRequest parsed;
  HttpFraming framing;
  std::string target;
  std::string_view fault;   // what Beast has no word for
  std::string_view piece;   // of a streamed body, out of the last put()
  bool chunk_head = false;  // the last put() took a chunk's head

 private:
  void on_request_impl(http::verb, BeastText method, BeastText at, int version, BeastError&) override {
    parsed.request.method = view(method);
    parsed.http_1_0 = version == 10;
    target = view(at);
  }
  void on_response_impl(int, BeastText, int, BeastError&) override {}

  void on_field_impl(http::field, BeastText name, BeastText value, BeastError& error) override {
    if (is_header_done()) {
      fault = "a trailer";
      error = http::error::bad_field;
      return;
    }
    if (parsed.request.headers.size() == kMaxFields) {
      error = http::error::header_limit;
      return;
    }
    auto& [key, text] = parsed.request.headers.emplace_back(to_lower(view(name)), view(value));
    framing.note(key, text);
    if (key == "host") parsed.host = text;
  }
  void on_header_impl(BeastError&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, BeastError&) override {}

  std::size_t on_body_impl(BeastText body, BeastError&) override {
    if (parsed.streamed) {
      piece = view(body);
    } else {
      parsed.request.body += view(body);
    }
    return body.size();
  }

  void on_chunk_header_impl(std::uint64_t size, BeastText extensions, BeastError& error) override {
    chunk_head = true;
    if (!extensions.empty()) {
      fault = "a chunk extension";
      error = http::error::bad_chunk_extension;
    } else if (!parsed.streamed && size > room_) {
      error = http::error::body_limit;
    } else if (!parsed.streamed) {
      room_ -= size;
    }
  }
  std::size_t on_chunk_body_impl(std::uint64_t, BeastText body, BeastError& error) override {
    return on_body_impl(body, error);
  }
  void on_finish_impl(BeastError&) override {}

  std::uint64_t room_;  // what chunks may still hold
};

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

bool HttpRequestParser::starved() const { return buffered() <= kMaxChunkHead; }

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
  const std::string_view bytes = unread();
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
  if (head > max_head_bytes_ || (head == 0 && buffered() > max_head_bytes_)) {
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
                  "a request may have " + std::to_string(kMaxFields) + " header lines");
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
    if (buffered() == 0) return Body::need_more;
    message.piece = {};
    message.chunk_head = false;
    BeastError error;
    const std::size_t used = message.put(boost::asio::const_buffer(unread().data(), buffered()), error);
    consume(used);
    if (error == http::error::body_limit) {
      refuse_body_size();
      return Body::refused;
    }
    // What Beast leaves unread is the beginning of a chunk's head.
    const bool too_long = message.chunk_head ? used > kMaxChunkHead : error && buffered() > kMaxChunkHead;
    if (message.fault.empty() && too_long) message.fault = "the head of a chunk is too long";
    if (!message.fault.empty() || (error && error != http::error::need_more)) {
      refuse(400, "bad_request", message.fault.empty() ? error.message() : std::string(message.fault));
      return Body::refused;
    }
    if (error || used == 0) return Body::need_more;
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
