// The words of the tunnel's messages (docs/tunnel.md). Internal to tunnel_wire*.cpp.
#pragma once

#include <string_view>

namespace mayfly {

/// A method's place in the table is its index on the wire.
inline constexpr std::string_view kTunnelMethodNames[] = {"Get", "Head", "Post", "Put"};
inline constexpr std::string_view kTunnelMethods[] = {"GET", "HEAD", "POST", "PUT"};

/// The same for a status; the order is ptth_core 2.0's.
inline constexpr std::string_view kTunnelStatusNames[] = {
    "Ok",        "NoContent", "PartialContent",   "NotModified",         "TemporaryRedirect",  "BadRequest",
    "Forbidden", "NotFound",  "MethodNotAllowed", "RangeNotSatisfiable", "InternalServerError"};
inline constexpr int kTunnelStatuses[] = {200, 204, 206, 304, 307, 400, 403, 404, 405, 416, 500};

// Field names, for peers that write structs as maps.
inline constexpr std::string_view kWrappedRequestFields[] = {"id", "req"};
inline constexpr std::string_view kRequestFields[] = {"method", "uri", "headers"};
inline constexpr std::string_view kHeadFields[] = {"status_code", "headers"};

}  // namespace mayfly
