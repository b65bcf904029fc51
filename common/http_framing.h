// Where a request ends and whom it is for: what its head must not say in two ways. RFC 9112,
// narrowed: whatever two parsers could read differently is refused. No I/O. Internal to the HTTP server.
//
// Thread safety: one thread at a time.
#pragma once

#include <string>
#include <string_view>

#include "common/http_message.h"

namespace mayfly {

std::string to_lower(std::string_view text);

/// True for a token of RFC 9110: what names of headers are made of.
bool is_http_token(std::string_view text);

/// Fields of which a request has one at most, or which decide where it ends.
class HttpFraming {
 public:
  /// `name` in lower case, `value` trimmed.
  void note(std::string_view name, std::string_view value);
  /// What is wrong; empty: nothing.
  std::string_view fault(bool http_1_0) const;

 private:
  int hosts_ = 0;
  int lengths_ = 0;
  int encodings_ = 0;
  bool encoding_is_chunked_ = true;
  bool length_is_number_ = true;
};

/// Sets path and query of `request`. An absolute target ("http://host/path") must name the host that
/// the Host field names, or, without that field, sets `host`. What is wrong; empty: nothing.
std::string_view split_target(std::string_view target, HttpRequest& request, std::string& host);

/// True for a name or address, with a port or without: letters, digits, '.', '-', '_', or an IPv6
/// address in brackets.
bool is_valid_host(std::string_view host);

}  // namespace mayfly
