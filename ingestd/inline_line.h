// Inline lines: a command as people type it.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "common/resp_parser.h"

namespace mayfly::ingestd {

/// The first word of a line.
std::string_view inline_command(std::string_view line);

/// Splits at each single space into at most `max_parts` (at least 1); the last one is the rest of
/// the line. Quotes have no meaning. Offsets are from the line's begin.
void split_inline(std::string_view line, std::size_t max_parts, std::vector<RespArgument>& parts);

/// True for a line of an HTTP request: its first, or a Host header. A browser can be made to send
/// those to any port, with lines of a page's choice behind them.
bool looks_like_http(std::string_view line);

}  // namespace mayfly::ingestd
