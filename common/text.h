// Text as it goes out and comes in: bytes that may not be text, times, base64, percent-coding.
// Pure functions, no state, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shm/result.h"

namespace mayfly {

/// True for well-formed UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF).
bool is_utf8(std::string_view bytes);

/// The bytes with those that are not part of well-formed UTF-8 as `\xNN` (lower case hex). A
/// literal backslash stays as it is.
std::string escape_invalid_utf8(std::string_view bytes);

/// For terminals and text/plain: as escape_invalid_utf8, and control characters (C0, DEL, C1) as
/// `\n`, `\r`, `\t` or `\xNN`, so that stored data moves no cursor and forges no line.
std::string escape_control(std::string_view bytes);

/// Appends a JSON string, quotes included; bytes that are not UTF-8 as escape_invalid_utf8.
void append_json_string(std::string& out, std::string_view bytes);

/// Standard alphabet, padded.
std::string base64_encode(std::string_view bytes);
/// Standard or URL-safe alphabet, padding optional. Nothing: not base64.
std::optional<std::string> base64_decode(std::string_view text);

/// `%41` to `A`; `+` stays. Nothing: a `%` without two hex digits.
std::optional<std::string> percent_decode(std::string_view text);
/// Everything but A-Z a-z 0-9 - . _ ~ as `%NN`: fit for one path segment or query value.
std::string percent_encode(std::string_view bytes);

/// Nanoseconds since 1970 as "2026-11-21T10:00:00.000000001Z".
std::string format_time(std::uint64_t wall_ns);
/// RFC 3339, with any fraction (cut at ns) and any offset. Nothing: not a time, or before 1970.
std::optional<std::uint64_t> parse_time(std::string_view text);

/// Decimal digits only, within 64 bits.
std::optional<std::uint64_t> parse_u64(std::string_view text);

/// `since` and `until`: RFC 3339, Unix seconds ("1700000000", "1700000000.25"), or an age before
/// `now_ns` (a number and s, m, h or d: "15m"; older than 1970 counts as 1970). In nanoseconds since 1970.
/// Error: invalid.
shm::Result<std::uint64_t> parse_point_in_time(std::string_view text, std::uint64_t now_ns);

}  // namespace mayfly
