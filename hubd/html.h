// The hub's plain pages (login, audit log, strangers): HTML in which everything that is not written
// here, in the source, is escaped.
#pragma once

#include <string>
#include <string_view>

#include "common/http_message.h"

namespace mayfly::hubd {

/// A piece of HTML that stands in the source: nothing else converts to it.
class Markup {
 public:
  template <std::size_t N>
  // NOLINTNEXTLINE(google-explicit-constructor)
  consteval Markup(const char (&literal)[N]) : text_(literal, N - 1) {}
  constexpr std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

/// Builds a page from left to right.
class Html {
 public:
  Html& markup(Markup piece);
  /// Data, for an element's content or an attribute's value in double quotes. Bytes that are not
  /// UTF-8, and control bytes, become `\xNN`.
  Html& text(std::string_view data);
  Html& number(std::uint64_t value) { return text(std::to_string(value)); }
  const std::string& str() const { return out_; }

 private:
  std::string out_;
};

/// Sends a whole page around `body`, under a policy that lets no script run and loads nothing.
void send_page(ResponseWriter& response, int status, Markup title, const Html& body, HttpHeaders more = {});

/// True where the request's Accept asks for HTML by name.
bool wants_html(const HttpRequest& request);

}  // namespace mayfly::hubd
