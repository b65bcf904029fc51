// Evictions: a mark in the record, for ever; the key index and the totals follow.
#include <algorithm>

#include "shm/directory_inline.h"

namespace mayfly::shm {
namespace {

constexpr std::uint32_t kKillUndo = 16;

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

}  // namespace

bool Directory::due(const RecordHeader& header, std::uint64_t boot_ns) const {
  const std::uint64_t age = boot_ns > header.boot_ns ? boot_ns - header.boot_ns : 0;
  return age / kNsPerSecond >= now.max_age_seconds;
}

void Directory::kill(WorkerState& worker, Ref ref, EvictCause cause) {
  kill_inline(worker, ref, record(ref), cause);
}

/// A record that is not its key's oldest, or is its last one.
void Directory::unlink_rare(WorkerState& worker, Ref ref, const RecordHeader& header, IndexEntry& entry) {
  if (live_events(entry.live) == 1) {
    index_.remove(worker, entry);
    --now.keys;
    return;
  }
  worker.txn.set(entry.live, entry.live - make_live(1, counted_bytes(header)));
  if (entry.newest == ref) {
    worker.txn.set(entry.newest, header.prev);
    now.key_scan = 0;  // a record before it has become its key's newest
  } else {
    worker.txn.set(record(header.prev).next, header.next);
    worker.txn.set(record(header.next).prev, header.prev);
  }
}

/// Kills every record of the key whose newest record is at `newest`.
void Directory::kill_key(WorkerState& worker, Ref newest, EvictCause cause) {
  Ref ref = index_.find_owner(newest, record(newest)).oldest;
  for (std::uint64_t left = now.records; left > 0; --left) {
    const Ref next = record(ref).next;
    const bool last = ref == newest;
    ensure_undo(worker, kKillUndo + kMaxBatchRecords);
    kill(worker, ref, cause);
    if (last) return;
    ref = next;
  }
  corrupt("a key's records do not end");
}

/// The newest record of the least recently written key.
Ref Directory::quietest_key() {
  settle_tail();
  if (now.kind == static_cast<Word>(Kind::status)) return now.tail;
  Ref place = now.key_scan != 0 ? normalise(now.key_scan) : now.tail;
  while (!at_end(place)) {
    const RecordHeader& header = record(place);
    if (header.death == 0 && index_.is_newest(place, header)) {
      now.key_scan = place;
      return place;
    }
    place = after(place);
  }
  corrupt("no key has a newest record");
}

void Directory::evict_quietest_key(WorkerState& worker, EvictCause cause) {
  kill_key(worker, quietest_key(), cause);
}

bool Directory::unset(WorkerState& worker, std::string_view key) {
  const Word hash = key_hash(key);
  const IndexEntry* entry = index_.find(hash, key).entry;
  if (entry == nullptr) return false;
  kill_key(worker, entry->newest, EvictCause::unset);
  return true;
}

bool Directory::any_due(Now at) {
  const std::lock_guard lock(mutex);
  if (!is_open() || now.records == 0) return false;
  settle_tail();
  return due(record(now.tail), at.boot_ns);
}

bool Directory::evict_due(WorkerState& worker, std::uint64_t limit) {
  settle_tail();
  while (now.records > 0 && due(record(now.tail), worker.now.boot_ns)) {
    if (limit-- == 0) return true;
    ensure_undo(worker, kKillUndo);
    kill(worker, now.tail, EvictCause::age);
    settle_tail();
  }
  return false;
}

bool Directory::evict_oldest_page(WorkerState& worker) {
  settle_tail();
  if (now.records == 0) return false;
  const std::uint32_t page = ref_page(now.tail);
  while (now.records > 0 && ref_page(now.tail) == page) {
    ensure_undo(worker, kKillUndo);
    kill(worker, now.tail, EvictCause::memory);
    settle_tail();
  }
  return true;
}

/// Kills what is longer than the new lengths allow, wherever it stands.
void Directory::enforce_lengths(WorkerState& worker, const Quotas& quotas) {
  settle_tail();
  const bool one_each = now.kind == static_cast<Word>(Kind::status);
  for (Ref place = now.tail; !at_end(place); place = after(place)) {
    const RecordHeader& header = record(place);
    if (header.death != 0) continue;
    const std::uint64_t key_bytes = key_bytes_of(header.lengths);
    const std::uint64_t value_bytes = value_bytes_of(header.lengths);
    const bool too_large = one_each && key_bytes + value_bytes > quotas.max_bytes_per_key;
    if (key_bytes > quotas.max_key_bytes || value_bytes > quotas.max_value_bytes || too_large) {
      ensure_undo(worker, kKillUndo);
      kill(worker, place, EvictCause::quota_lowered);
    }
  }
}

/// Kills the oldest of every key that has too many events or bytes. One pass: in place order, the
/// first live record of a key that is met is its oldest.
void Directory::enforce_per_key(WorkerState& worker, const Quotas& quotas) {
  settle_tail();
  for (Ref place = now.tail; !at_end(place); place = after(place)) {
    const RecordHeader& header = record(place);
    if (header.death != 0) continue;
    const Word live = index_.find_owner(place, header).live;
    if (live_events(live) > quotas.max_events_per_key || live_bytes(live) > quotas.max_bytes_per_key) {
      ensure_undo(worker, kKillUndo);
      kill(worker, place, EvictCause::quota_lowered);
    }
  }
}

void Directory::apply_quotas(WorkerState& worker, const DirectorySpec& spec) {
  // What is due already goes first: a longer age must not revive it.
  evict_due(worker, ~0ull);
  const Quotas old = quotas();
  const Quotas& fresh = spec.quotas;
  const bool is_log = now.kind == static_cast<Word>(Kind::log);
  if (fresh.max_key_bytes < old.max_key_bytes || fresh.max_value_bytes < old.max_value_bytes ||
      (!is_log && fresh.max_bytes_per_key < old.max_bytes_per_key)) {
    enforce_lengths(worker, fresh);
  }
  if (is_log && (fresh.max_events_per_key < old.max_events_per_key ||
                 fresh.max_bytes_per_key < old.max_bytes_per_key)) {
    enforce_per_key(worker, fresh);
  }
  while (now.keys > fresh.max_keys) evict_quietest_key(worker, EvictCause::quota_lowered);
  while (now.bytes > fresh.max_total_bytes) {
    ensure_undo(worker, kKillUndo);
    settle_tail();
    kill(worker, now.tail, EvictCause::quota_lowered);
  }
  set_rule(spec);
  engine_.note_reserve(*this, fresh.reserve_bytes);
}

}  // namespace mayfly::shm
