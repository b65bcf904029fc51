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
  explicit KeyIndex(Directory& directory);

  /// A live key's entry and its newest record, or two nulls.
  struct Found {
    IndexEntry* entry;
    RecordHeader* newest;
  };
  Found find(Word hash, std::string_view key) const;
  /// Fetches what find() will read first, and what it will read then, into the cache.
  void prefetch_entry(Word hash) const;
  void prefetch_newest(Word hash) const;
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
  /// Of a page that is read in place; other words than Word's are not its type's.
  using PageNumber [[gnu::may_alias]] = std::uint32_t;

  static constexpr unsigned kProbesAtOnce = 4;

  IndexEntry& find_by_key(Ref ref, const RecordHeader& record) const;
  [[noreturn]] void corrupt_page() const;
  std::uint32_t depth() const;
  bool empty() const;
  void learn_root() const;
  std::uint32_t page_of(Word hash) const;
  IndexEntry* entries(std::uint32_t page) const;
  std::uint32_t first_probe(Word hash) const;
  template <class Match>
  IndexEntry* walk(IndexEntry* table, std::uint32_t first, Match match) const;
  template <class Match>
  IndexEntry* probe(Word hash, Match match) const;
  template <class Keep>
  void fill_page(std::uint32_t page, std::uint32_t page_depth, const IndexEntry* from, Keep keep);
  void grow(WorkerState& worker, Word hash, bool split);
  Directory& directory_;
  const std::uint32_t entry_mask_;
  // What index_root says, made ready for look-ups whenever it has changed.
  mutable Ref seen_root_ = 0;
  mutable const PageNumber* pages_ = nullptr;  // by the hash's low bits
  mutable Word page_mask_ = 0;
  mutable std::uint32_t only_page_ = 0;  // of an index without a root page
};

}  // namespace mayfly::shm
