// The request that opens a WebSocket, RFC 6455 section 4.2. No I/O.
#pragma once

#include <string>
#include <string_view>

#include "common/http_message.h"

namespace mayfly {

/// What a handshake came to: `status` 101 with `accept` (the value of Sec-WebSocket-Accept), or why not.
struct HandshakeVerdict {
  int status = 101;
  std::string accept;
  std::string_view code;    // stable word
  std::string_view detail;  // for people
};

HandshakeVerdict judge_handshake(const HttpRequest& request);

/// True where `origin` ("https://host:port") names the same host and port as `host` (a Host header).
bool is_same_origin(std::string_view origin, std::string_view host);

}  // namespace mayfly
