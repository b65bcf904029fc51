// Judging and storing one record: first everything that could drop it, then the evictions that
// make its place, then the record. A record that ends dropped has evicted nothing.
#include <algorithm>
#include <cstring>

#include "shm/directory.h"
#include "shm/engine.h"
#include "shm/key_hash.h"

namespace mayfly::shm {

/// A key on its way in.
struct Directory::Key {
  std::string_view text;
  Word hash;
  IndexEntry* entry;        // null: a new key
  std::uint32_t spare = 0;  // undo entries that the record's own write may need
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

Word Directory::key_hash(std::string_view key) const {
  return shm::key_hash(segment().header().constants.hash_seed, key);
}

Verdict Directory::append(WorkerState& worker, std::string_view key_text, std::string_view value) {
  if (const auto cause = judge_lengths(key_text.size(), value.size())) {
    count_drop(*cause);
    return Verdict::dropped(*cause);
  }
  const Word hash = key_hash(key_text);
  Key key{key_text, hash, index_.find(hash, key_text)};
  if (key.entry == nullptr && now.keys >= now.max_keys && now.drop_when_keys_full != 0) {
    count_drop(DropCause::too_many_keys);
    return Verdict::dropped(DropCause::too_many_keys);
  }
  if (!make_room(worker, key, record_bytes(key_text.size(), value.size()))) {
    count_drop(DropCause::no_memory);
    return Verdict::dropped(DropCause::no_memory);
  }
  evict_for(worker, key, value.size());
  Verdict verdict;
  write_record(worker, key, value, verdict);
  if (++worker.batch_records >= kMaxBatchRecords) checkpoint(worker);
  return verdict;
}

/// Pages and an index entry for the record, before anything is evicted for it by quota.
bool Directory::make_room(WorkerState& worker, Key& key, std::uint64_t size) {
  for (int attempt = 0; attempt < kRoomAttempts; ++attempt) {
    const std::uint32_t data = pages_for(size);
    const bool grow = key.entry == nullptr && !index_.has_room(key.hash);
    const std::uint32_t wanted = data + (grow ? index_.room_pages() : 0);
    key.spare = 2 * data + kWriteUndo;
    if (worker.stash.size() < wanted) {
      const Word before = generation;
      if (!engine_.reserve_pages(worker, *this, wanted)) return false;
      if (generation != before) {  // this directory may have been evicted from, or compacted
        key.entry = index_.find(key.hash, key.text);
        continue;
      }
    }
    if (!grow) return true;
    ensure_undo(worker, kWriteUndo);
    if (!index_.ensure_room(worker, key.hash)) return false;
  }
  return false;
}

void Directory::evict_for(WorkerState& worker, Key& key, std::uint64_t value_bytes) {
  const std::uint64_t size = key.text.size() + value_bytes;
  const std::uint32_t undo = key.spare + kWriteUndo;
  // Entries stay where they are while records go; the key's own goes with its last record.
  const auto refresh = [&] {
    if (key.entry != nullptr && key.entry->hash != key.hash) key.entry = nullptr;
  };
  ensure_undo(worker, undo);
  if (key.entry == nullptr) {
    while (now.keys >= now.max_keys) evict_quietest_key(worker, EvictCause::keys);
  } else if (now.kind == static_cast<Word>(Kind::log)) {
    while (key.entry != nullptr && live_events(key.entry->live) >= now.max_events_per_key) {
      ensure_undo(worker, undo);
      kill(worker, key.entry->oldest, EvictCause::events_per_key);
      refresh();
    }
    while (key.entry != nullptr && live_bytes(key.entry->live) > now.max_bytes_per_key - size) {
      ensure_undo(worker, undo);
      kill(worker, key.entry->oldest, EvictCause::bytes_per_key);
      refresh();
    }
  }
  // A status value that is written again is gone before the total is judged, and goes with the
  // same commit that brings its successor.
  const bool replaces = now.kind == static_cast<Word>(Kind::status) && key.entry != nullptr;
  const Ref own = replaces ? key.entry->newest : 0;
  const std::uint64_t own_bytes = replaces ? live_bytes(key.entry->live) : 0;
  while (now.bytes - own_bytes > now.max_total_bytes - size) {
    ensure_undo(worker, undo);
    settle_tail();
    Ref oldest = now.tail;
    if (oldest == own) {
      do oldest = after(oldest);
      while (!at_end(oldest) && record(oldest).death != 0);
    }
    kill(worker, oldest, EvictCause::total_bytes);
  }
  ensure_undo(worker, undo);
  refresh();
  if (!replaces) return;
  if (key.entry == nullptr) corrupt("a status key went with another's record");
  kill_replaced(worker, *key.entry);
}

void Directory::stamp_times(WorkerState& worker, RecordHeader& header) {
  const std::uint64_t wall = worker.now.wall_ns;
  const bool set_back = wall < now.last_time_ns && now.last_time_ns - wall > kClockJumpNs;
  header.time_ns = wall > now.last_time_ns || set_back ? wall : now.last_time_ns + 1;
  header.boot_ns = std::max(worker.now.boot_ns, now.last_boot_ns);
  now.last_time_ns = header.time_ns;
  now.last_boot_ns = header.boot_ns;
}

void Directory::write_record(WorkerState& worker, Key& key, std::string_view value, Verdict& verdict) {
  const std::uint64_t size = record_bytes(key.text.size(), value.size());
  const std::uint64_t counted = key.text.size() + value.size();
  const Ref at = place_record(worker, size);
  const bool is_log = now.kind == static_cast<Word>(Kind::log);
  const bool chained = key.entry != nullptr && is_log;
  RecordHeader header{};
  header.seq = now.next_seq;
  stamp_times(worker, header);
  header.lengths = key.text.size() | (Word{value.size()} << 32);
  const Word ordinal = key.entry == nullptr ? 0 : ((record(key.entry->newest).tag >> 32) + 1) & 0xffffffff;
  header.tag = (key.hash & 0xffffffff) | (ordinal << 32);
  // Also of a status, which has no chain: while the batch is open, readers come to the committed value by it.
  header.prev = key.entry != nullptr ? key.entry->newest : 0;
  write_bytes(worker, at, header, key.text, value);
  if (key.entry == nullptr) {
    index_.insert(worker, key.hash, at, make_live(1, counted));
    ++now.keys;
  } else {
    // The newest record's `next` means nothing until it has a successor: no need to log it.
    if (chained) store_release(&record(key.entry->newest).next, at);
    const Word before = chained ? key.entry->live : 0;
    worker.txn.set(key.entry->newest, at);
    if (!chained) worker.txn.set(key.entry->oldest, at);
    worker.txn.set(key.entry->live, make_live(live_events(before) + 1, live_bytes(before) + counted));
  }
  add_live(worker, ref_page(at), static_cast<std::int64_t>(size));
  ++now.next_seq;
  ++now.records;
  ++now.stored;
  now.bytes += counted;
  verdict = {true, DropCause::stopped, header.seq, header.time_ns};
}

/// Header, key and value as one span of words.
void Directory::write_bytes(WorkerState& worker, Ref at, const RecordHeader& header, std::string_view key,
                            std::string_view value) {
  const std::size_t bytes = sizeof header + key.size() + value.size();
  Word* to = segment().page(ref_page(at)) + ref_offset(at) / 8;
  if (bytes > segment().geometry().page_bytes) return write_run(worker, at, header, key, value);
  copy_in(to, &header, sizeof header);
  to += sizeof header / 8;
  const std::size_t rest = key.size() % 8;
  const std::size_t whole = key.size() - rest;
  copy_in(to, key.data(), whole);
  to += whole / 8;
  if (rest > 0) {  // a word of the key's end and the value's beginning
    const std::size_t taken = std::min(value.size(), 8 - rest);
    char joint[8] = {};
    std::memcpy(joint, key.data() + whole, rest);
    std::memcpy(joint + rest, value.data(), taken);
    copy_in(to++, joint, 8);
    value.remove_prefix(taken);
  }
  copy_in(to, value.data(), value.size());
}

/// The same over the pages of a run.
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
