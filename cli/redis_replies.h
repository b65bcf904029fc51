// Replies of the Redis listener to records, counted and not kept: one for each command, in order.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace mayfly::cli {

using DropMap = std::map<std::string, std::uint64_t>;  // cause -> records

/// Simple strings, errors, integers and bulk strings without CR or LF. Not thread-safe.
class RedisReplies {
 public:
  /// Counts the replies that these bytes complete. -QUOTA's cause is added to `dropped`, any other
  /// error under its first word in small letters.
  std::uint64_t count(std::string_view bytes, DropMap& dropped);

 private:
  bool end_line(std::string_view line, DropMap& dropped);
  std::string kept_;          // of a line whose end has not come
  bool inside_bulk_ = false;  // the next line is a bulk string's body
};

}  // namespace mayfly::cli
