// LogQL's words. Internal to the parser.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shm/result.h"

namespace mayfly::logql {

enum class TokenKind { identifier, string, number, duration, range, symbol, end };

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;              // as written; of a string: what it says
  std::int64_t duration_ns = 0;  // of a duration and of a range ("[5m]")
  double number = 0;
  std::size_t line = 1;
  std::size_t column = 1;  // in characters
};

/// The last one is `end`. Errors: as parse().
shm::Result<std::vector<Token>> tokenize(std::string_view text);

/// "parse error at line 1, col 5: text"
shm::Error parse_error_at(std::size_t line, std::size_t column, const std::string& text);

/// "5m", "1h30m", "1.5s", "250ms". Nothing: no duration, or one beyond 64 bits of nanoseconds.
std::optional<std::int64_t> parse_duration(std::string_view text);
/// The other way round, exactly.
std::string format_duration(std::int64_t ns);

/// A string as it is written, in double quotes.
std::string quote(std::string_view text);
/// What a string in double quotes or backticks says (`text` includes them). Nothing: a bad escape.
std::optional<std::string> unquote(std::string_view text);

}  // namespace mayfly::logql
