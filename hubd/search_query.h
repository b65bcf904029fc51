// What a search of all hosts asks for. Pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "shm/result.h"

namespace mayfly::hubd {

struct SearchQuery {
  static constexpr std::size_t kMaxPatternBytes = 1024;
  static constexpr std::size_t kDefaultLimit = 500;
  static constexpr std::size_t kMaxLimit = 5000;

  std::string pattern;                // RE2
  std::size_t limit = kDefaultLimit;  // records, the newest
  std::string since;                  // as given, checked; empty: not given
  std::string until;
  std::optional<std::string> server;  // only this one
  std::optional<std::string> directory;

  /// The query of a host's /api/v1/logs/{directory}.
  std::string for_host() const;
};

/// Reads `q`, `limit`, `since`, `until`, `server`, `directory`. Errors (invalid): no `q`, a pattern
/// that RE2 does not take, a number or time that is none, a name given twice.
shm::Result<SearchQuery> parse_search_query(std::string_view query);

}  // namespace mayfly::hubd
