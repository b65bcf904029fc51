// Which headers cross the tunnel (docs/fleet.md). Readers do not trust hosts, and hosts are not
// told what a reader proves himself with: all hosts share the hub's origin in a browser.
//
// Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

#include "common/http_message.h"

namespace mayfly::hubd {

/// Of a reader's request, what its host gets. Taken out: hop-by-hop ones and what Connection names,
/// those of a body, whatever carries credentials, identity or an address (Cookie, Authorization,
/// X-ApiKey, Proxy-*, X-Forwarded-*, names with "token", "session" ...), Origin and Referer, and
/// mayfly-*. What is given more than once is joined by ", " where HTTP allows that, else the first counts.
HttpHeaders headers_for_host(const HttpHeaders& reader);

/// Of a host's answer, what its reader gets: the standard headers that describe a body, mayfly-*,
/// and x-* that no browser or proxy acts upon; the first of each name. A Location only where it
/// stays below `prefix` (location_filter.h). Added: what keeps the answer from acting in a browser,
/// and Cache-Control: no-store where the host says nothing.
HttpHeaders headers_for_reader(const HttpHeaders& host, std::string_view path, std::string_view prefix);

/// Path and query as a request target that strict servers take: bytes that no URI may hold are
/// percent-encoded.
std::string target_for_host(std::string_view path, std::string_view query);

}  // namespace mayfly::hubd
