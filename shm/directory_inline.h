// What every record costs, in one place: these definitions are inlined into the append path. They
// are the truth for everybody else, too, who calls them through the out-of-line forms.
#pragma once

#include <bit>

#include "shm/bytes.h"
#include "shm/directory.h"
#include "shm/engine.h"
#include "shm/key_hash.h"

namespace mayfly::shm {

/// What a record counts for in quotas.
constexpr std::uint64_t counted_bytes(const RecordHeader& header) {
  return key_bytes_of(header.lengths) + value_bytes_of(header.lengths);
}

// --- the key index ------------------------------------------------------------------------------

MAYFLY_HOT bool KeyIndex::empty() const { return directory_.now.index_root == 0; }
inline std::uint32_t KeyIndex::depth() const { return ref_offset(directory_.now.index_root) / 8; }

MAYFLY_HOT std::uint32_t KeyIndex::page_of(Word hash) const {
  if (directory_.now.index_root != seen_root_) [[unlikely]]
    learn_root();
  const std::uint32_t page = __atomic_load_n(pages_ + (hash & page_mask_), __ATOMIC_RELAXED);
  if (page >= directory_.segment().geometry().pages) [[unlikely]]
    corrupt_page();
  return page;
}

MAYFLY_HOT IndexEntry* KeyIndex::entries(std::uint32_t page) const {
  return reinterpret_cast<IndexEntry*>(directory_.segment().page(page));
}

MAYFLY_HOT std::uint32_t KeyIndex::first_probe(Word hash) const {
  return static_cast<std::uint32_t>(hash >> kIndexDepthBits) & entry_mask_;
}

/// The first entry on the hash's path for which `match` is true, up to one never used.
template <class Match>
IndexEntry* KeyIndex::walk(IndexEntry* table, std::uint32_t first, Match match) const {
  std::uint32_t i = first;
  do {
    if (match(table[i])) return &table[i];
    if (table[i].hash == kHashEmpty) return nullptr;
    i = (i + 1) & entry_mask_;
  } while (i != first);
  return nullptr;
}

/// The same. The first four are judged without a branch between them: at which of them an entry is
/// found is chance, and a branch that is mispredicted costs more than three comparisons. An entry
/// behind one never used is not on anybody's path, so none is found there by mistake.
template <class Match>
MAYFLY_HOT IndexEntry* KeyIndex::probe(Word hash, Match match) const {
  if (empty()) [[unlikely]]
    return nullptr;
  IndexEntry* const table = entries(page_of(hash));
  const std::uint32_t first = first_probe(hash);
  unsigned matches = 0;
#pragma GCC unroll 4
  for (unsigned i = 0; i < kProbesAtOnce; ++i) {
    matches |= static_cast<unsigned>(match(table[(first + i) & entry_mask_])) << i;
  }
  if (matches != 0) [[likely]] {
    return &table[(first + static_cast<unsigned>(std::countr_zero(matches))) & entry_mask_];
  }
  return walk(table, first, match);
}

MAYFLY_HOT KeyIndex::Found KeyIndex::find(Word hash, std::string_view key) const {
  IndexEntry* entry = probe(hash, [hash](const IndexEntry& e) { return e.hash == hash; });
  if (entry == nullptr) return {nullptr, nullptr};
  RecordHeader* newest = &directory_.record(entry->newest);
  if (directory_.key_equals(*newest, entry->newest, key)) [[likely]]
    return {entry, newest};
  // Two keys with the same 64 bits.
  entry = walk(entries(page_of(hash)), first_probe(hash), [&](const IndexEntry& e) {
    return e.hash == hash && directory_.key_equals(directory_.record(e.newest), e.newest, key);
  });
  return {entry, entry != nullptr ? &directory_.record(entry->newest) : nullptr};
}

MAYFLY_HOT void KeyIndex::prefetch_entry(Word hash) const {
  if (!empty()) __builtin_prefetch(entries(page_of(hash)) + first_probe(hash), 1);
}

MAYFLY_HOT void KeyIndex::prefetch_newest(Word hash) const {
  const IndexEntry* const entry = probe(hash, [hash](const IndexEntry& e) { return e.hash == hash; });
  if (entry == nullptr) return;
  const char* const record = directory_.segment().address_of(entry->newest, kRecordHeaderBytes);
  __builtin_prefetch(record, 1);
  __builtin_prefetch(record + kRecordHeaderBytes);
}

/// The entry that names `ref` as its key's oldest, nearly always; by the key's bytes otherwise.
MAYFLY_HOT IndexEntry& KeyIndex::find_owner(Ref ref, const RecordHeader& record) const {
  const Word low = record.tag & 0xffffffff;
  IndexEntry* const entry = probe(low, [ref](const IndexEntry& e) { return e.oldest == ref; });
  // A tombstone may still name what it named, but no low half of a hash.
  const bool owns = entry != nullptr && (entry->hash & 0xffffffff) == low && entry->hash > kHashTombstone;
  return owns ? *entry : find_by_key(ref, record);
}

MAYFLY_HOT bool KeyIndex::is_newest(Ref ref, const RecordHeader& record) const {
  const Word low = record.tag & 0xffffffff;
  return probe(low, [&](const IndexEntry& e) {
           return (e.hash & 0xffffffff) == low && e.hash > kHashTombstone && e.newest == ref;
         }) != nullptr;
}

// --- transactions ---------------------------------------------------------------------------------

MAYFLY_HOT void Directory::ensure_undo(WorkerState& worker, std::uint32_t changes) {
  if (worker.txn.room() < changes) [[unlikely]]
    make_undo_room(worker, changes);
}

// --- places -------------------------------------------------------------------------------------

MAYFLY_HOT bool Directory::key_equals(const RecordHeader& header, Ref ref, std::string_view key) const {
  if (key_bytes_of(header.lengths) != key.size()) return false;
  if (key.size() > segment().geometry().page_bytes - kRecordHeaderBytes - ref_offset(ref)) [[unlikely]] {
    return run_key_equals(ref, key);
  }
  return equal_bytes(reinterpret_cast<const char*>(&header + 1), key.data(), key.size());
}

/// The place after the record at `place`. Sequence rises from record to record: no walk is endless.
MAYFLY_HOT Ref Directory::after_inline(Ref place) const {
  const RecordHeader& header = record(place);
  const std::uint64_t size = record_bytes(key_bytes_of(header.lengths), value_bytes_of(header.lengths));
  // Within a page, nearly always; the record of a run is longer than its page's end.
  const bool same_page = ref_offset(place) + size < end_of(ref_page(place));
  const Ref next = same_page ? place + size / 8 : behind(place, header);
  if (!at_end(next) && record(next).seq <= header.seq) [[unlikely]]
    corrupt("records out of order");
  return next;
}

/// Moves the tail on to the oldest live record, which it returns; null when none lives.
/// Process-local until the commit.
MAYFLY_HOT RecordHeader* Directory::settle_tail_inline() {
  if (now.records == 0) [[unlikely]] {
    now.tail = now.head;
    return nullptr;
  }
  if (tail_.ref != now.tail) [[unlikely]]
    find_tail();
  while (tail_.at->death != 0) {
    const std::uint64_t size = record_bytes(counted_bytes(*tail_.at), 0);
    char* const next = reinterpret_cast<char*>(tail_.at) + size;
    if (next + kRecordHeaderBytes <= tail_.end) [[likely]] {
      tail_.at = reinterpret_cast<RecordHeader*>(next);
      tail_.ref += size / 8;
    } else {
      step_tail();
    }
  }
  now.tail = tail_.ref;
  return tail_.at;
}

// --- evictions ----------------------------------------------------------------------------------

/// The record's own mark, and the totals that do not depend on why it died.
MAYFLY_HOT void Directory::bury(WorkerState& worker, Ref ref, RecordHeader& header) {
  const std::uint64_t counted = counted_bytes(header);
  if (now.records == 0 || now.bytes < counted) [[unlikely]]
    corrupt("fewer records than are evicted");
  worker.txn.set(header.death, worker.txn.target());
  remove_live(worker, ref_page(ref), record_bytes(counted, 0));
  --now.records;
  now.bytes -= counted;
}

MAYFLY_HOT void Directory::kill_inline(WorkerState& worker, Ref ref, RecordHeader& header, EvictCause cause) {
  if (header.death != 0) [[unlikely]]
    corrupt("a dead record is evicted");
  IndexEntry& entry = index_.find_owner(ref, header);
  const std::uint64_t counted = counted_bytes(header);
  const Word live = entry.live;
  if (live_events(live) == 0 || live_bytes(live) < counted) [[unlikely]] {
    corrupt("a key with fewer records than are evicted");
  }
  bury(worker, ref, header);
  ++now.evicted[static_cast<std::size_t>(cause)];
  if (entry.oldest == ref && live_events(live) > 1) [[likely]] {
    worker.txn.set(entry.live, live - make_live(1, counted));
    worker.txn.set(entry.oldest, header.next);
  } else {
    unlink_rare(worker, ref, header, entry);
  }
}

}  // namespace mayfly::shm
