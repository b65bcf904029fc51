// Boost.Beast's parser with a request as its target. Internal to http_parser.cpp: nobody else should
// have to read Beast's headers.
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "common/http_framing.h"
#include "common/http_parser.h"

namespace mayfly {

/// Beast's parser, writing straight into a ParsedRequest.
class HttpRequestParser::Message final : public boost::beast::http::basic_parser<true> {
 public:
  static constexpr std::size_t kMaxFields = 100;

  Message(std::size_t max_head_bytes, std::size_t max_body_bytes) : room_(max_body_bytes) {
    header_limit(static_cast<std::uint32_t>(max_head_bytes) + 1);
    // Counted here: whether a limit holds is known only after the head. (`none` refuses everything.)
    body_limit(std::numeric_limits<std::uint64_t>::max());
  }

  ParsedRequest parsed;
  HttpFraming framing;
  std::string target;
  std::string_view fault;  // what Beast has no word for
  std::string_view piece;  // of a streamed body, out of the last put()

  /// True where the next bytes are the head of a chunk.
  bool at_chunk_head() const { return chunked() && is_header_done() && chunk_left_ == 0; }
  bool before_first_chunk() const { return before_first_chunk_; }

 private:
  using BeastError = boost::beast::error_code;
  using BeastText = boost::beast::string_view;

  static std::string_view to_view(BeastText text) { return {text.data(), text.size()}; }

  void on_request_impl(boost::beast::http::verb, BeastText method, BeastText at, int version,
                       BeastError&) override {
    parsed.request.method = to_view(method);
    parsed.http_1_0 = version == 10;
    target = to_view(at);
  }
  void on_response_impl(int, BeastText, int, BeastError&) override {}

  void on_field_impl(boost::beast::http::field, BeastText name, BeastText value, BeastError& error) override {
    if (is_header_done()) {
      fault = "a trailer";
      error = boost::beast::http::error::bad_field;
      return;
    }
    if (parsed.request.headers.size() == kMaxFields) {
      error = boost::beast::http::error::header_limit;
      return;
    }
    auto& [key, text] = parsed.request.headers.emplace_back(to_lower(to_view(name)), to_view(value));
    framing.note(key, text);
    if (key == "host") parsed.host = text;
  }
  void on_header_impl(BeastError&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, BeastError&) override {}

  std::size_t on_body_impl(BeastText body, BeastError&) override {
    if (parsed.streamed) {
      piece = to_view(body);
    } else {
      parsed.request.body += to_view(body);
    }
    return body.size();
  }

  void on_chunk_header_impl(std::uint64_t size, BeastText extensions, BeastError& error) override {
    before_first_chunk_ = false;
    chunk_left_ = size;
    if (!extensions.empty()) {
      fault = "a chunk extension";
      error = boost::beast::http::error::bad_chunk_extension;
    } else if (!parsed.streamed && size > room_) {
      error = boost::beast::http::error::body_limit;
    } else if (!parsed.streamed) {
      room_ -= size;
    }
  }
  std::size_t on_chunk_body_impl(std::uint64_t, BeastText body, BeastError& error) override {
    chunk_left_ -= body.size();
    return on_body_impl(body, error);
  }
  void on_finish_impl(BeastError&) override {}

  std::uint64_t room_;  // what chunks may still hold
  std::uint64_t chunk_left_ = 0;
  bool before_first_chunk_ = true;
};

}  // namespace mayfly
