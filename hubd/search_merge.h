// Hosts' answers to a search, read as somebody else's text and put together by time. Pure
// functions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hubd/access.h"

namespace mayfly::hubd {

/// Something that a search did not look at, or not completely.
struct LeftOut {
  std::string server;         // empty: all
  std::string directory;      // empty: the whole server
  std::string reason;         // a stable word
  std::uint64_t records = 0;  // how many, where that is known
};

/// One directory's answer.
struct SearchPart {
  std::string server;
  std::string directory;
  std::string body;       // NDJSON
  bool complete = false;  // else its last line is cut
};

/// Names of the log directories that hold anything and that `scope` covers, out of a host's list of
/// directories. `malformed`: it is no such list.
std::vector<std::string> log_directories(std::string_view json, const Scope& scope, bool& malformed);

/// `{"query":…,"complete":…,"records":[…],"left_out":[…]}`: the newest `limit` records, the oldest
/// first.
std::string merge_search(const std::string& query, std::size_t limit, const std::vector<SearchPart>& parts,
                         std::vector<LeftOut> left_out);

}  // namespace mayfly::hubd
