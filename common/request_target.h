// What a request asks for: decoded path segments and parameters. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/http_message.h"
#include "shm/result.h"

namespace mayfly {

/// Parameters come from the query (`?last=5&grep=x`, where `+` is a blank) and from the end of the
/// path (`;last=5;grep=x`, where it is not), since some relays drop query strings.
struct RequestTarget {
  std::vector<std::string> segments;                            // without empty ones at the end
  std::vector<std::pair<std::string, std::string>> parameters;  // no name twice

  /// Null: not given.
  const std::string* parameter(std::string_view name) const;
  /// True where it is given as anything but "", "0" or "false".
  bool flag(std::string_view name) const;
};

/// Errors (invalid): a `%` without two hex digits, a parameter given twice.
shm::Result<RequestTarget> parse_request_target(const HttpRequest& request);

/// The fields of an application/x-www-form-urlencoded body. Errors as above.
shm::Result<std::vector<std::pair<std::string, std::string>>> parse_form(std::string_view body);

/// The key that the request names: the path segment at `index`, else `key` or `key_b64`. Nothing:
/// none is named. Errors (invalid): named twice, or not base64.
shm::Result<std::optional<std::string>> requested_key(const RequestTarget& target, std::size_t index);

}  // namespace mayfly
