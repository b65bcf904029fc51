#include "common/request_target.h"

#include <algorithm>

#include "common/text.h"

namespace mayfly {
namespace {

shm::Error invalid_target(const std::string& text) { return {shm::Errc::invalid, text}; }

/// Splits off what precedes `separator`.
std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  const std::string_view head = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return head;
}

/// Reads `name=value` pairs. Errors as parse_request_target.
shm::Status read_parameters(std::string_view text, char separator, bool plus_is_blank,
                            RequestTarget& target) {
  while (!text.empty()) {
    std::string_view value = take_until(text, separator);
    if (value.empty()) continue;
    std::string_view name = take_until(value, '=');
    std::string spelled(value);
    if (plus_is_blank) std::replace(spelled.begin(), spelled.end(), '+', ' ');
    const auto decoded_name = percent_decode(name);
    auto decoded = percent_decode(spelled);
    if (!decoded_name || !decoded)
      return invalid_target("a % without two hexadecimal digits in the parameters");
    if (target.parameter(*decoded_name) != nullptr) {
      return invalid_target("the parameter " + escape_control(*decoded_name) + " is given twice");
    }
    target.parameters.emplace_back(*decoded_name, std::move(*decoded));
  }
  return {};
}

}  // namespace

shm::Result<std::vector<std::pair<std::string, std::string>>> parse_form(std::string_view body) {
  RequestTarget fields;
  if (auto read = read_parameters(body, '&', true, fields); !read.ok()) return read.error();
  return std::move(fields.parameters);
}

const std::string* RequestTarget::parameter(std::string_view name) const {
  for (const auto& [key, value] : parameters) {
    if (key == name) return &value;
  }
  return nullptr;
}

bool RequestTarget::flag(std::string_view name) const {
  const std::string* value = parameter(name);
  return value != nullptr && !value->empty() && *value != "0" && *value != "false";
}

shm::Result<RequestTarget> parse_request_target(const HttpRequest& request) {
  RequestTarget target;
  std::string_view path = request.path;
  // Only the last segment may carry parameters: elsewhere a `;` is a plain character.
  const std::size_t last_slash = path.rfind('/');
  const std::size_t mark = path.find(';', last_slash == std::string_view::npos ? 0 : last_slash);
  std::string_view at_end;
  if (mark != std::string_view::npos) {
    at_end = path.substr(mark + 1);
    path = path.substr(0, mark);
  }
  if (!path.empty() && path[0] == '/') path.remove_prefix(1);
  while (!path.empty() && path.back() == '/') path.remove_suffix(1);
  while (!path.empty()) {
    auto segment = percent_decode(take_until(path, '/'));
    if (!segment) return invalid_target("a % without two hexadecimal digits in the path");
    target.segments.push_back(std::move(*segment));
  }
  if (auto read = read_parameters(request.query, '&', true, target); !read.ok()) return read.error();
  if (auto read = read_parameters(at_end, ';', false, target); !read.ok()) return read.error();
  return target;
}

shm::Result<std::optional<std::string>> requested_key(const RequestTarget& target, std::size_t index) {
  std::optional<std::string> key;
  int named = 0;
  if (target.segments.size() > index) {
    key = target.segments[index];
    ++named;
  }
  if (const std::string* plain = target.parameter("key")) {
    key = *plain;
    ++named;
  }
  if (const std::string* encoded = target.parameter("key_b64")) {
    key = base64_decode(*encoded);
    ++named;
    if (!key) return invalid_target("key_b64 is not base64");
  }
  if (named > 1) return invalid_target("the key is named twice");
  return key;
}

}  // namespace mayfly
