// The messages of PTTH's tunnel (docs/tunnel.md): a list of wrapped requests one way, a status and
// headers in a header the other way; MessagePack. Pure functions, any thread.
//
// Written: what ptth 2.x writes, byte for byte. Read: every form that ptth's own decoder takes, and
// bare variant names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/http_message.h"
#include "shm/result.h"

namespace mayfly {

inline constexpr std::string_view kTunnelRoot = "/7ZSFUKGV";
inline constexpr std::string_view kTunnelListen = "/7ZSFUKGV/http_listen/";      // + server
inline constexpr std::string_view kTunnelResponse = "/7ZSFUKGV/http_response/";  // + request id
inline constexpr std::string_view kTunnelHeadHeader = "x-ptth-2ljyxwc4";
/// The exact status, where the tunnel can only carry one near to it.
inline constexpr std::string_view kTunnelStatusHeader = "mayfly-status";

struct WrappedRequest {
  std::string id;      // a ULID, or whatever the relay uses
  std::string method;  // GET, HEAD, POST or PUT; only the first two are ever sent
  std::string uri;
  HttpHeaders headers;  // names in lower case; values are raw bytes
};

struct WrappedHead {
  int status = 0;
  HttpHeaders headers;
};

std::string encode_requests(const std::vector<WrappedRequest>& requests);
/// Errors (invalid): not such a list; one bad entry spoils the whole. Bytes after it are ignored.
shm::Result<std::vector<WrappedRequest>> decode_requests(std::string_view bytes);

/// MessagePack, not yet base64. A status that the tunnel lacks goes as the nearest one with
/// kTunnelStatusHeader beside it.
std::string encode_head(const WrappedHead& head);
/// Errors (invalid): not a head, or a header that could not be written into an HTTP message. The
/// exact status is restored, and its header taken out.
shm::Result<WrappedHead> decode_head(std::string_view bytes);

}  // namespace mayfly
