// One key's records, found by the directory's key index and their links. The index and the links
// belong to the writer, who changes them while they are read; so they are hints, and this is how
// they become answers:
//
//   the newest record   counts if no commit came in between. What an open transaction has taken out
//                       of the index, or put in its place, is put back in a private copy, by the
//                       transaction's own undo log: "not there" is exact too.
//   the one before it   is looked up link by link, whatever is committed meanwhile. A link is kept
//                       true while the record it stands in has not been moved, that is while its
//                       page belongs to the directory; of a page that was given up it says nothing.
//
// Of one key, the oldest are evicted first. Only a lowered length quota takes records out of the
// middle: whoever walks links looks whether there were such evictions meanwhile (Commit::evicted).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "shm/segment_view.h"

namespace mayfly::shm {

/// For one state of one directory; made anew for each attempt. All that it refers to outlives it.
class KeyLookup {
 public:
  enum class Looked {
    found,
    absent,
    again,   // overtaken by a commit, or the index makes no sense
    unwise,  // the key's records are so many that a scan comes to them sooner; not of newest()
  };

  /// `state` was loaded just before.
  KeyLookup(SegmentView& view, std::uint32_t slot, const CommittedState& state, std::string_view key);

  /// The key's newest record in `state`; whether it is due is the caller's to see.
  Looked newest(FoundRecord& found);
  /// From the record found last to the key's live record before it. Returns end where there is none,
  /// gone or broken where the search is to begin anew.
  Found older(FoundRecord& found);
  /// Where the record found last stands.
  Ref place() const { return place_; }
  /// About how many records the key has; after newest().
  std::uint64_t events() const { return events_; }

 private:
  bool read_path();
  void undo_path();
  bool find_in_path(FoundRecord& found, bool exact);
  bool reach_committed(Ref newest, FoundRecord& found, bool exact);
  bool load(Ref place, FoundRecord& found);
  bool is_of_key(const FoundRecord& found) const;
  bool unchanged() const;
  Ref committed_prev(Ref place, Ref now) const;

  SegmentView& view_;
  const std::uint32_t slot_;
  const CommittedState& state_;
  const std::string_view key_;
  const Word hash_;
  const Word epoch_;
  Ref place_ = 0;
  std::uint64_t seq_ = 0;
  std::uint32_t ordinal_ = 0;
  std::uint64_t events_ = 0;
  // The entries from the hash's own to the first one never used, as they were copied.
  std::uint32_t page_ = 0;
  std::uint32_t first_ = 0;
  std::vector<IndexEntry> path_;
};

}  // namespace mayfly::shm
