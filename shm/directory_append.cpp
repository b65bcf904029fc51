// Judging and storing one record: first everything that could drop it, then the evictions that
// make its place, then the record. A record that ends dropped has evicted nothing.
#include <algorithm>
#include <cstring>

#include "shm/directory_inline.h"
#include "shm/payload.h"

namespace mayfly::shm {

/// A key on its way in.
struct Directory::Key {
  std::string_view text;
  Word hash;
  KeyIndex::Found found;    // nulls: a new key
  std::uint32_t spare = 0;  // undo entries that the record's own write may need

  void refresh();
};

namespace {

constexpr std::uint32_t kWriteUndo = 48;  // of a record without a run
constexpr int kRoomAttempts = 64;
constexpr std::uint64_t kClockJumpNs = 1'000'000'000;

}  // namespace

std::optional<DropCause> Directory::judge_lengths(std::uint64_t key_bytes, std::uint64_t value_bytes) const {
  if (key_bytes > now.max_key_bytes) return DropCause::key_too_long;
  if (value_bytes > now.max_value_bytes) return DropCause::value_too_long;
  if (key_bytes > max_pair_bytes_ || value_bytes > max_pair_bytes_ - key_bytes) {
    return DropCause::record_too_large;
  }
  if (now.max_keys == 0) return DropCause::too_many_keys;
  if (now.kind == static_cast<Word>(Kind::log) && now.max_events_per_key == 0)
    return DropCause::too_many_events;
  return std::nullopt;
}

Word Directory::key_hash(std::string_view key) const { return shm::key_hash(hash_seed_, key); }

Word Directory::prepare(std::string_view key) const {
  const Word hash = shm::key_hash(hash_seed_, key);
  index_.prefetch_entry(hash);
  return hash;
}

void Directory::approach(Word hash) const { index_.prefetch_newest(hash); }

DropCause Directory::drop(DropCause cause) {
  count_drop(cause);
  return cause;
}

std::optional<DropCause> Directory::append(WorkerState& worker, std::string_view key_text, Word hash,
                                           std::string_view value) {
  // Two comparisons tell what judge_lengths() tells with more, nearly always.
  if (key_text.size() >= plain_key_limit_ || value.size() >= plain_value_limit_) [[unlikely]] {
    if (const auto cause = judge_lengths(key_text.size(), value.size())) return drop(*cause);
  }
  Key key{key_text, hash, index_.find(hash, key_text)};
  if (key.found.entry == nullptr && now.keys >= now.max_keys && now.drop_when_keys_full != 0) {
    return drop(DropCause::too_many_keys);
  }
  if (!make_room(worker, key, record_bytes(key_text.size(), value.size()))) [[unlikely]] {
    return drop(DropCause::no_memory);
  }
  evict_for(worker, key, value.size());
  write_record(worker, key, value);
  if (++worker.batch_records >= kMaxBatchRecords) checkpoint(worker);
  return std::nullopt;
}

/// Pages and an index entry for the record, before anything is evicted for it by quota.
MAYFLY_HOT bool Directory::make_room(WorkerState& worker, Key& key, std::uint64_t size) {
  if (size <= head_room_ && (key.found.entry != nullptr || index_.has_room(key.hash))) [[likely]] {
    key.spare = kWriteUndo;
    return true;
  }
  return reserve_room(worker, key, size);
}

bool Directory::reserve_room(WorkerState& worker, Key& key, std::uint64_t size) {
  for (int attempt = 0; attempt < kRoomAttempts; ++attempt) {
    const std::uint32_t data = pages_for(size);
    const bool grow = key.found.entry == nullptr && !index_.has_room(key.hash);
    const std::uint32_t wanted = data + (grow ? index_.room_pages() : 0);
    key.spare = 2 * data + kWriteUndo;
    if (worker.stash.size() < wanted) {
      const Word before = generation;
      if (!engine_.reserve_pages(worker, *this, wanted)) return false;
      if (generation != before) {  // this directory may have been evicted from, or compacted
        key.found = index_.find(key.hash, key.text);
        continue;
      }
    }
    if (!grow) return true;
    ensure_undo(worker, kWriteUndo);
    if (!index_.ensure_room(worker, key.hash)) return false;
  }
  return false;
}

/// Entries stay where they are while records go; a key's own goes with its last record.
void Directory::Key::refresh() {
  if (found.entry != nullptr && found.entry->hash != hash) found = {nullptr, nullptr};
}

/// What goes for the record by quota. A status value that is written again is gone before the total
/// is judged, and goes with the same commit that brings its successor.
MAYFLY_HOT void Directory::evict_for(WorkerState& worker, Key& key, std::uint64_t value_bytes) {
  const std::uint64_t size = key.text.size() + value_bytes;
  ensure_undo(worker, key.spare + kWriteUndo);
  const IndexEntry* const entry = key.found.entry;
  Ref own = 0;
  std::uint64_t own_bytes = 0;
  if (entry == nullptr) {
    if (now.keys >= now.max_keys) evict_keys(worker, key);
  } else if (now.kind == static_cast<Word>(Kind::log)) {
    const Word live = entry->live;
    if (live_events(live) >= now.max_events_per_key || live_bytes(live) > now.max_bytes_per_key - size) {
      evict_within_key(worker, key, size);
    }
  } else {
    own = entry->newest;
    own_bytes = live_bytes(entry->live);
  }
  if (now.bytes - own_bytes > now.max_total_bytes - size) evict_total(worker, key, size, own, own_bytes);
  if (own == 0) return;
  if (key.found.entry == nullptr) [[unlikely]]
    corrupt("a status key went with another's record");
  // The entry stays: the key's new record is written in the same transaction.
  bury(worker, own, *key.found.newest);
  ++now.replaced;
}

void Directory::evict_keys(WorkerState& worker, Key& key) {
  while (now.keys >= now.max_keys) evict_quietest_key(worker, EvictCause::keys);
  ensure_undo(worker, key.spare + kWriteUndo);
}

/// The oldest of the key's own records, in a log.
void Directory::evict_within_key(WorkerState& worker, Key& key, std::uint64_t size) {
  const auto evict_while = [&](EvictCause cause, auto over) {
    while (key.found.entry != nullptr && over(key.found.entry->live)) {
      kill(worker, key.found.entry->oldest, cause);
      ensure_undo(worker, key.spare + kWriteUndo);
      key.refresh();
    }
  };
  evict_while(EvictCause::events_per_key,
              [&](Word live) { return live_events(live) >= now.max_events_per_key; });
  evict_while(EvictCause::bytes_per_key,
              [&](Word live) { return live_bytes(live) > now.max_bytes_per_key - size; });
}

/// The oldest records of all, but never `own`, the status value that this record replaces.
void Directory::evict_total(WorkerState& worker, Key& key, std::uint64_t size, Ref own,
                            std::uint64_t own_bytes) {
  do {
    RecordHeader* const tail = settle_tail_inline();
    if (tail == nullptr) [[unlikely]]
      corrupt("bytes without a record");
    if (now.tail != own) [[likely]] {
      if (worker.far) fetch_next_victim();
      kill_inline(worker, now.tail, *tail, EvictCause::total_bytes);
    } else {
      Ref oldest = own;
      do oldest = after(oldest);
      while (!at_end(oldest) && record(oldest).death != 0);
      kill(worker, oldest, EvictCause::total_bytes);
    }
    ensure_undo(worker, key.spare + kWriteUndo);
  } while (now.bytes - own_bytes > now.max_total_bytes - size);
  key.refresh();
}

/// The clocks as they are stored: the wall clock moves on by 1 ns at least unless it was set back,
/// the boot-time clock never goes back.
MAYFLY_HOT void Directory::stamp_times(const Now& at) {
  const std::uint64_t wall = at.wall_ns;
  const bool set_back = wall < now.last_time_ns && now.last_time_ns - wall > kClockJumpNs;
  now.last_time_ns = wall > now.last_time_ns || set_back ? wall : now.last_time_ns + 1;
  now.last_boot_ns = std::max(at.boot_ns, now.last_boot_ns);
}

MAYFLY_HOT void Directory::write_record(WorkerState& worker, const Key& key, std::string_view value) {
  const std::uint64_t counted = key.text.size() + value.size();
  const std::uint64_t size = record_bytes(counted, 0);
  const Ref at = size <= head_room_ ? place_behind_head(size) : place_in_pages(worker, size);
  stamp_times(worker.now);
  const Word lengths = key.text.size() | (Word{value.size()} << 32);
  Word tag = key.hash & 0xffffffff;
  Ref prev = 0;
  if (key.found.entry != nullptr) {
    tag |= (key.found.newest->tag & ~Word{0xffffffff}) + (Word{1} << 32);
    // Also of a status, which has no chain: while the batch is open, readers come to the committed value by
    // it.
    prev = key.found.entry->newest;
  }
  if (size <= segment().geometry().page_bytes) [[likely]] {
    Word* const page = segment().page(ref_page(at));
    auto* const to = reinterpret_cast<RecordHeader*>(page + ref_offset(at) / 8);
    store_release(&to->seq, now.next_seq);
    store_release(&to->time_ns, now.last_time_ns);
    store_release(&to->boot_ns, now.last_boot_ns);
    store_release(&to->lengths, lengths);
    store_release(&to->tag, tag);
    store_release(&to->death, 0);
    store_release(&to->prev, prev);
    store_release(&to->next, 0);
    copy_payload(reinterpret_cast<Word*>(to + 1), key.text, value);
  } else {
    write_run(worker, at, {now.next_seq, now.last_time_ns, now.last_boot_ns, lengths, tag, 0, prev, 0},
              key.text, value);
  }
  enter_record(worker, key, at, counted);
  add_live(worker, ref_page(at), size);
}

/// The record's place in its key, and in the totals.
MAYFLY_HOT void Directory::enter_record(WorkerState& worker, const Key& key, Ref at, std::uint64_t counted) {
  ++now.next_seq;
  ++now.records;
  ++now.stored;
  now.bytes += counted;
  if (key.found.entry == nullptr) {
    index_.insert(worker, key.hash, at, make_live(1, counted));
    ++now.keys;
    return;
  }
  IndexEntry& entry = *key.found.entry;
  Word live = make_live(1, counted);
  if (now.kind == static_cast<Word>(Kind::log)) {
    // The newest record's `next` means nothing until it has a successor: no need to log it.
    store_release(&key.found.newest->next, at);
    live += entry.live;
  } else {
    worker.txn.set(entry.oldest, at);
  }
  worker.txn.set(entry.newest, at);
  worker.txn.set(entry.live, live);
}

/// Header, key and value over the pages of a run.
void Directory::write_run(WorkerState& worker, Ref at, const RecordHeader& header, std::string_view key,
                          std::string_view value) {
  const std::size_t bytes = sizeof header + key.size() + value.size();
  const std::size_t page_bytes = segment().geometry().page_bytes;
  std::vector<char>& scratch = worker.scratch;
  scratch.resize(bytes);
  std::memcpy(scratch.data(), &header, sizeof header);
  std::memcpy(scratch.data() + sizeof header, key.data(), key.size());
  std::memcpy(scratch.data() + sizeof header + key.size(), value.data(), value.size());
  std::uint32_t page = ref_page(at);
  for (std::size_t done = 0;;) {
    const std::size_t part = std::min(bytes - done, page_bytes);
    copy_in(segment().page(page), scratch.data() + done, part);
    done += part;
    if (done == bytes) break;
    page = ref_page(load_relaxed(&segment().line(page).next));
  }
  scratch.clear();  // so large a buffer is not kept
  scratch.shrink_to_fit();
}

}  // namespace mayfly::shm
