#include "common/http_framing.h"

#include <algorithm>
#include <cctype>

namespace mayfly {
namespace {

constexpr std::size_t kMaxPortDigits = 5;

bool is_only(std::string_view text, bool (*allowed)(unsigned char)) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [allowed](char c) { return allowed(static_cast<unsigned char>(c)); });
}

bool is_alnum(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_name_char(unsigned char c) { return is_alnum(c) || c == '.' || c == '-' || c == '_'; }

bool is_v6_char(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
}

bool is_digit_char(unsigned char c) { return c >= '0' && c <= '9'; }

/// Visible ASCII; a fragment never crosses the wire.
bool is_target_char(unsigned char c) { return c > 0x20 && c < 0x7f && c != '#'; }

}  // namespace

std::string to_lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool is_http_token(std::string_view text) {
  return is_only(text, [](unsigned char c) {
    return is_alnum(c) ||
           std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

void HttpFraming::note(std::string_view name, std::string_view value) {
  if (name == "host") ++hosts_;
  if (name == "content-length") {
    ++lengths_;
    length_is_number_ = is_only(value, is_digit_char);
  }
  if (name == "transfer-encoding") {
    ++encodings_;
    encoding_is_chunked_ = to_lower(value) == "chunked";
  }
}

std::string_view HttpFraming::fault(bool http_1_0) const {
  if (lengths_ > 1) return "more than one Content-Length";
  if (!length_is_number_) return "Content-Length is not a number";
  if (encodings_ > 1) return "more than one Transfer-Encoding";
  if (!encoding_is_chunked_) return "Transfer-Encoding other than chunked";
  if (encodings_ > 0 && lengths_ > 0) return "Content-Length beside Transfer-Encoding";
  if (encodings_ > 0 && http_1_0) return "Transfer-Encoding in HTTP/1.0";
  if (hosts_ > 1) return "more than one Host";
  if (hosts_ == 0 && !http_1_0) return "no Host";
  return {};
}

std::string_view split_target(std::string_view target, HttpRequest& request, std::string& host) {
  if (!is_only(target, is_target_char))
    return "a byte in the target of the request that must be percent-encoded";
  const bool absolute = to_lower(target.substr(0, 7)) == "http://";
  if (absolute) {
    target.remove_prefix(7);
    const std::size_t slash = std::min(target.find_first_of("/?"), target.size());
    const std::string_view named = target.substr(0, slash);
    if (!host.empty() && to_lower(host) != to_lower(named)) return "the target names another host than Host";
    host = named;
    target.remove_prefix(slash);
  }
  const std::size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (absolute && request.path.empty()) request.path = "/";
  if (mark != std::string_view::npos) request.query = target.substr(mark + 1);
  if (request.path.empty() || request.path[0] != '/') return "the target of the request is not a path";
  return {};
}

bool is_valid_host(std::string_view host) {
  std::size_t end = 0;
  if (!host.empty() && host[0] == '[') {
    end = host.find(']');
    if (end == std::string_view::npos || !is_only(host.substr(1, end - 1), is_v6_char)) return false;
    ++end;
  } else {
    end = std::min(host.find(':'), host.size());
    if (!is_only(host.substr(0, end), is_name_char)) return false;
  }
  if (end == host.size()) return true;
  const std::string_view port = host.substr(end + 1);
  return host[end] == ':' && port.size() <= kMaxPortDigits && is_only(port, is_digit_char);
}

}  // namespace mayfly
