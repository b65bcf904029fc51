#include "common/http_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cctype>
#include <utility>

namespace mayfly {
namespace {

namespace http = boost::beast::http;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

/// Fields of which a request has one at most, or which decide where it ends.
struct FramingFields {
  int hosts = 0;
  int lengths = 0;
  int encodings = 0;
  bool encoding_is_chunked = true;
  bool length_is_number = true;
};

void note_framing(FramingFields& fields, std::string_view name, std::string_view value) {
  if (name == "host") ++fields.hosts;
  if (name == "content-length") {
    ++fields.lengths;
    fields.length_is_number =
        !value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos;
  }
  if (name == "transfer-encoding") {
    ++fields.encodings;
    fields.encoding_is_chunked = lower(value) == "chunked";
  }
}

/// What is wrong with the framing; empty: nothing.
std::string_view framing_fault(const FramingFields& fields, bool http_1_0) {
  if (fields.lengths > 1) return "more than one Content-Length";
  if (!fields.length_is_number) return "Content-Length is not a number";
  if (fields.encodings > 1) return "more than one Transfer-Encoding";
  if (!fields.encoding_is_chunked) return "Transfer-Encoding other than chunked";
  if (fields.encodings > 0 && fields.lengths > 0) return "Content-Length beside Transfer-Encoding";
  if (fields.encodings > 0 && http_1_0) return "Transfer-Encoding in HTTP/1.0";
  if (fields.hosts > 1) return "more than one Host";
  if (fields.hosts == 0 && !http_1_0) return "no Host";
  return {};
}

/// Takes "http://host" off an absolute target. False: neither a path nor such a target.
bool split_target(std::string_view target, HttpRequest& request, std::string& host) {
  const bool absolute = lower(target.substr(0, 7)) == "http://";
  if (absolute) {
    target.remove_prefix(7);
    const std::size_t slash = std::min(target.find_first_of("/?"), target.size());
    host = target.substr(0, slash);
    target.remove_prefix(slash);
  }
  const std::size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (absolute && request.path.empty()) request.path = "/";
  if (mark != std::string_view::npos) request.query = target.substr(mark + 1);
  return !request.path.empty() && request.path[0] == '/';
}

}  // namespace

struct HttpRequestParser::Message {
  http::request_parser<http::string_body> parser;
};

HttpRequestParser::HttpRequestParser(std::size_t max_head_bytes, std::size_t max_body_bytes)
    : max_head_bytes_(max_head_bytes), max_body_bytes_(max_body_bytes) {}

HttpRequestParser::~HttpRequestParser() = default;

void HttpRequestParser::append(std::string_view bytes) { input_ += bytes; }

bool HttpRequestParser::mid_request() const { return head_done_ || !input_.empty(); }

bool HttpRequestParser::take_expects_continue() { return std::exchange(expects_continue_, false); }

HttpRequestParser::State HttpRequestParser::refuse(int status, std::string_view code, std::string detail) {
  refused_ = true;
  refusal_ = {status, code, std::move(detail)};
  input_.clear();
  return State::refused;
}

void HttpRequestParser::skip_blank_lines() {
  std::size_t blank = 0;
  while (input_.compare(blank, 2, "\r\n") == 0) blank += 2;
  if (blank == 0) return;
  input_.erase(0, blank);
  scanned_ = 0;
}

std::size_t HttpRequestParser::find_head_end() {
  for (std::size_t i = scanned_; i < input_.size(); ++i) {
    const auto byte = static_cast<unsigned char>(input_[i]);
    const bool after_cr = i > 0 && input_[i - 1] == '\r';
    const bool line_begins = i > 1 && input_[i - 1] == '\n';
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
    if (byte == '\n' && i >= 3 && input_[i - 2] == '\n') return i + 1;
  }
  scanned_ = input_.size();
  return 0;
}

HttpRequestParser::State HttpRequestParser::next() {
  if (refused_) return State::refused;
  if (head_done_) return parse_body();
  skip_blank_lines();
  const std::size_t head = find_head_end();
  if (refused_) return State::refused;
  if (head > max_head_bytes_ || (head == 0 && input_.size() > max_head_bytes_)) {
    return refuse(431, "head_too_large",
                  "the head of a request may have " + std::to_string(max_head_bytes_) + " bytes");
  }
  return head == 0 ? State::need_more : parse_head(head);
}

HttpRequestParser::State HttpRequestParser::parse_head(std::size_t size) {
  message_ = std::make_unique<Message>();
  auto& parser = message_->parser;
  parser.header_limit(static_cast<std::uint32_t>(max_head_bytes_) + 1);
  parser.body_limit(max_body_bytes_);
  boost::beast::error_code error;
  const std::size_t used = parser.put(boost::asio::buffer(input_.data(), size), error);
  if (error == http::error::body_limit) {
    return refuse(413, "body_too_large", "a body may have " + std::to_string(max_body_bytes_) + " bytes");
  }
  if (error == http::error::bad_version) return refuse(505, "bad_version", "HTTP/1.1 and HTTP/1.0 only");
  if (error || !parser.is_header_done() || used != size) {
    return refuse(400, "bad_request", error ? error.message() : "the head of the request is malformed");
  }
  input_.erase(0, size);
  scanned_ = 0;
  head_done_ = true;
  return accept_head();
}

HttpRequestParser::State HttpRequestParser::accept_head() {
  const auto& message = message_->parser.get();
  parsed_ = ParsedRequest();
  parsed_.http_1_0 = message.version() == 10;
  parsed_.keep_alive = message.keep_alive();
  FramingFields fields;
  for (const auto& field : message) {
    std::string name = lower(view(field.name_string()));
    note_framing(fields, name, view(field.value()));
    if (name == "host") parsed_.host = view(field.value());
    parsed_.request.headers.emplace_back(std::move(name), view(field.value()));
  }
  const std::string_view fault = framing_fault(fields, parsed_.http_1_0);
  if (!fault.empty()) return refuse(400, "bad_request", std::string(fault));
  parsed_.request.method = view(message.method_string());
  if (!split_target(view(message.target()), parsed_.request, parsed_.host)) {
    return refuse(400, "bad_request", "the target of the request is not a path");
  }
  const std::string* expect = parsed_.request.header("expect");
  expects_continue_ = expect != nullptr && lower(*expect) == "100-continue" && !message_->parser.is_done();
  return parse_body();
}

HttpRequestParser::State HttpRequestParser::parse_body() {
  auto& parser = message_->parser;
  parser.eager(true);
  while (!parser.is_done() && !input_.empty()) {
    boost::beast::error_code error;
    const std::size_t used = parser.put(boost::asio::buffer(input_.data(), input_.size()), error);
    input_.erase(0, used);
    if (error == http::error::need_more) break;
    if (error == http::error::body_limit) {
      return refuse(413, "body_too_large", "a body may have " + std::to_string(max_body_bytes_) + " bytes");
    }
    if (error) return refuse(400, "bad_request", error.message());
    if (used == 0) break;
  }
  if (parser.is_done()) {
    expects_continue_ = false;
    return State::ready;
  }
  // What Beast leaves unread is at most a chunk's head line or a trailer.
  if (input_.size() > max_head_bytes_)
    return refuse(400, "bad_request", "a chunk header or trailer is too long");
  return State::need_more;
}

ParsedRequest HttpRequestParser::take() {
  parsed_.request.body = std::move(message_->parser.get().body());
  message_.reset();
  head_done_ = false;
  return std::move(parsed_);
}

}  // namespace mayfly
