// Where a stream goes on: the opaque `id:` of SSE events, accepted in Last-Event-ID and `?after=`.
// Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mayfly::relayd {

/// Names one place in one directory of one segment; worth the same after any restart.
struct StreamCursor {
  std::uint64_t instance = 0;     // of the segment
  std::uint64_t incarnation = 0;  // of the directory
  std::uint64_t next_seq = 0;     // the first seq that was not yet handed out
  /// For a stream of one key: the ordinal that its next record has, if none was missed.
  std::optional<std::uint32_t> next_ordinal;

  friend bool operator==(const StreamCursor&, const StreamCursor&) = default;
};

std::string format_cursor(const StreamCursor& cursor);
/// Nothing: not a cursor of this form.
std::optional<StreamCursor> parse_cursor(std::string_view text);

}  // namespace mayfly::relayd
