// Which records of a directory a request wants.
#pragma once

#include <re2/re2.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/request_target.h"
#include "shm/reader.h"

namespace mayfly::relayd {

/// RE2's own memory for one pattern: what an untrusted pattern may cost.
inline constexpr std::int64_t kPatternMemoryBytes = 1 << 20;

/// Copyable; matches() may be called from any thread.
struct RecordQuery {
  std::optional<std::string> key;
  std::optional<std::uint64_t> last;
  std::optional<std::uint64_t> since_ns;  // inclusive
  std::optional<std::uint64_t> until_ns;  // exclusive
  std::shared_ptr<const re2::RE2> grep;   // in the value; null: all

  bool matches(const shm::RecordView& record) const;
  /// Key and times alone, without looking into the value.
  bool has_filter() const { return key || since_ns || until_ns || grep; }
  /// True where the key is all that is asked of a record.
  bool is_key_only() const { return key && !since_ns && !until_ns && !grep; }
};

/// matches() as a reader takes it; null where everything matches. `query` outlives it.
shm::RecordFilter filter_of(const RecordQuery& query);

/// True for the last few records of one key, whatever the directory's size: cheap enough for the loop.
bool is_short_chain(const RecordQuery& query, const shm::DirectoryInfo& directory);

/// Reads `last`, `since`, `until`, `grep` and the key at segment `key_index`. Errors: invalid.
shm::Result<RecordQuery> parse_record_query(const RequestTarget& target, std::size_t key_index,
                                            std::uint64_t now_ns);

}  // namespace mayfly::relayd
