// What a client says it takes: weights of Accept and Accept-Encoding, If-None-Match (RFC 9110, 12.5
// and 13.1.2). Pure functions, any thread; whatever cannot be read counts as not said.
#pragma once

#include <string>
#include <string_view>

namespace mayfly {

/// The weight of "text/plain" in an Accept header, from 0 (never) to 1000; the most specific range
/// counts, of equal ones the heaviest. Parameters other than q are not looked at. Null: 1000.
int accept_weight(const std::string* accept, std::string_view type);

/// True where a scraper with this Accept header (null: none) wants OpenMetrics rather than the older
/// text format, which those get that name neither.
bool prefers_open_metrics(const std::string* accept);

/// The weight of "gzip" in an Accept-Encoding header, from 0 (never) to 1000. Null: 0.
int encoding_weight(const std::string* accept_encoding, std::string_view coding);

/// True where `if_none_match` is "*" or lists `etag` (quotes included); weak ones match too.
bool matches_etag(const std::string* if_none_match, std::string_view etag);

}  // namespace mayfly
