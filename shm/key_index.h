// The key index of one directory: extendible hashing over pages from the common pool.
//
// Open addressing within a page of 32-byte entries; a root page of page numbers once there is more
// than one. A page that is full is never changed in place: two fresh ones and a fresh root are
// filled and become true with the commit, as the old ones go. Requires the directory's mutex.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "shm/segment.h"

namespace mayfly::shm {

class Directory;
class WorkerState;

class KeyIndex {
 public:
  explicit KeyIndex(Directory& directory) : directory_(directory) {}

  /// The entry of a live key, or null.
  IndexEntry* find(Word hash, std::string_view key) const;
  /// The entry of the key of the record at `ref`, whose header is `record`. Never null: corrupt().
  IndexEntry& find_owner(Ref ref, const RecordHeader& record) const;
  /// True if `ref` is the newest record of its key.
  bool is_newest(Ref ref, const RecordHeader& record) const;

  /// Pages that one ensure_room() may take from the worker's stash.
  std::uint32_t room_pages() const { return empty() ? 1 : 3; }
  /// True when insert() would find a free entry as it is.
  bool has_room(Word hash) const;
  /// Splits or rebuilds one page towards it. False when the index cannot grow any more.
  bool ensure_room(WorkerState& worker, Word hash);
  IndexEntry& insert(WorkerState& worker, Word hash, Ref newest, Word live);
  void remove(WorkerState& worker, IndexEntry& entry);
  /// Appends the numbers of all pages of the index.
  void collect_pages(std::vector<std::uint32_t>& out) const;

 private:
  struct Place {
    std::uint32_t page;
    std::uint32_t slot;  // index in the root page; 0 at depth 0
  };
  std::uint32_t depth() const;
  bool empty() const;
  std::uint32_t page_at(std::uint32_t root_slot) const;
  Place place_of(Word hash) const;
  IndexEntry* entries(std::uint32_t page) const;
  std::uint32_t first_probe(Word hash) const;
  template <class Match>
  IndexEntry* probe(Word hash, Match match) const;
  template <class Keep>
  void fill_page(std::uint32_t page, std::uint32_t page_depth, const IndexEntry* from, Keep keep);
  void grow(WorkerState& worker, Word hash, bool split);
  Directory& directory_;
};

}  // namespace mayfly::shm
