// The messages of PTTH's tunnel (docs/tunnel.md): a list of wrapped requests one way, a status and
// headers in a header the other way; MessagePack. Pure functions, any thread.
//
// Written: what ptth 2.x writes, byte for byte; a header that comes twice is joined, or where that
// would change its meaning only the first one goes. Read: every form that ptth's own decoder takes,
// and bare variant names. Names of headers are in lower case both ways.
#pragma once

#include <cstddef>
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
/// More than this in one message is refused, so that a few bytes do not become much memory.
inline constexpr std::size_t kMaxWrappedRequests = 65536;
inline constexpr std::size_t kMaxWrappedHeaders = 1024;
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
/// Errors: invalid (not a head), corrupt (a header that no HTTP message can carry). The
/// exact status is restored where the carried one is the nearest to it, and its header taken out.
shm::Result<WrappedHead> decode_head(std::string_view bytes);

/// The value of kTunnelHeadHeader: base64 of encode_head().
std::string head_to_header(const WrappedHead& head);
/// Standard alphabet, padding optional. Errors: invalid (not base64, the URL-safe alphabet neither),
/// and those of decode_head().
shm::Result<WrappedHead> head_from_header(std::string_view text);

/// The one of the eleven statuses of the tunnel that goes in place of `status`.
int nearest_tunnel_status(int status);

}  // namespace mayfly
