
#include "shm/directory.h"

#include <algorithm>
#include <cstring>

#include "shm/directory_inline.h"

namespace mayfly::shm {

WorkerState::WorkerState(Engine& owner, std::uint32_t area)
    : engine(owner), index(area), txn(owner.segment, area) {}

Directory::Directory(Engine& engine, std::uint32_t slot_index)
    : slot(slot_index),
      engine_(engine),
      segment_(engine.segment),
      index_(*this),
      hash_seed_(engine.segment.header().constants.hash_seed) {}

void Directory::corrupt(const char* what) const {
  engine_.corrupt("directory '" + name + "' (slot " + std::to_string(slot) + "): " + what);
}

void Directory::corrupt_place() const { corrupt("a place beyond the pages"); }

bool Directory::load() {
  const Slot& shared = segment().slot(slot);
  generation = load_acquire(&shared.generation);
  copy_out(&now, reinterpret_cast<const Word*>(&shared.copies[generation & 1]), kCommitWords);
  cold_dirty_ = 2;
  if (now.state == kStateClosed) return true;
  const Word name_bytes = load_acquire(&shared.name_bytes);
  const auto page_ok = [&](Ref ref) { return ref == 0 || ref_page(ref) < segment().geometry().pages; };
  if (now.state != kStateOpen || name_bytes == 0 || name_bytes > kMaxNameBytes || now.kind < 1 ||
      now.kind > 2 || !page_ok(now.head) || !page_ok(now.tail) || !page_ok(now.index_root) ||
      !page_ok(now.key_scan) || (now.head == 0) != (now.tail == 0) ||
      (now.records > 0 && (now.head == 0 || now.index_root == 0)) || now.keys > now.records ||
      ref_offset(now.index_root) / 8 > segment().geometry().max_depth()) {
    return false;
  }
  char text[kMaxNameBytes];
  copy_out(text, shared.name, kMaxNameBytes / 8);
  name.assign(text, name_bytes);
  know_limits();
  measure_head_room();
  return valid_directory_name(name);
}

void Directory::begin(WorkerState& worker) { worker.txn.begin(slot, generation + 1); }

void Directory::fill_copy(Commit& copy) {
  const std::size_t words = cold_dirty_ > 0 ? kCommitWords : kHotWords;
  if (cold_dirty_ > 0) --cold_dirty_;
  copy_in(reinterpret_cast<Word*>(&copy), &now, words * 8);
}

void Directory::commit(WorkerState& worker) {
  settle_tail();
  write_live(worker);
  now.first_seq = now.records > 0 ? record(now.tail).seq : 0;
  Slot& shared = segment().slot(slot);
  fill_copy(shared.copies[(generation + 1) & 1]);
  // SYNC POINT: publishes the copy, the records before its head and every change logged so far.
  // Pairs with the acquire load of `generation` in SegmentView::load_commit.
  store_release(&shared.generation, ++generation);
  worker.txn.end();
  engine_.pool.retire(worker.freed);
  worker.batch_records = 0;
}

void Directory::checkpoint(WorkerState& worker) {
  commit(worker);
  begin(worker);
}

void Directory::make_undo_room(WorkerState& worker, std::uint32_t changes) {
  checkpoint(worker);
  if (worker.txn.room() < changes) corrupt("more changes at once than the undo log holds");
}

std::string_view Directory::record_key(Ref ref, std::string& scratch) const {
  const std::uint64_t bytes = key_bytes_of(record(ref).lengths);
  const std::uint32_t page_bytes = segment().geometry().page_bytes;
  std::uint32_t page = ref_page(ref);
  std::uint64_t offset = ref_offset(ref) + std::uint64_t{kRecordHeaderBytes};
  const auto bytes_at = [&](std::uint32_t p, std::uint64_t at) {
    return reinterpret_cast<const char*>(segment().page(p)) + at;
  };
  if (offset + bytes <= page_bytes) return {bytes_at(page, offset), bytes};
  if (bytes > kMaxRecordBytes) corrupt("a key longer than any record");
  scratch.clear();
  while (scratch.size() < bytes) {
    const std::uint64_t part = std::min<std::uint64_t>(bytes - scratch.size(), page_bytes - offset);
    scratch.append(bytes_at(page, offset), part);
    page = ref_page(segment().line(page).next);
    if (scratch.size() < bytes && page >= segment().geometry().pages) corrupt("a run that ends early");
    offset = 0;
  }
  return scratch;
}

bool Directory::run_key_equals(Ref ref, std::string_view key) const {
  std::string scratch;
  return record_key(ref, scratch) == key;
}

Quotas Directory::quotas() const {
  Quotas q;
  q.max_keys = now.max_keys;
  q.max_key_bytes = now.max_key_bytes;
  q.max_value_bytes = now.max_value_bytes;
  q.max_total_bytes = now.max_total_bytes;
  q.max_bytes_per_key = now.max_bytes_per_key;
  q.max_events_per_key = now.max_events_per_key;
  q.max_age_seconds = now.max_age_seconds;
  q.reserve_bytes = now.reserve_bytes;
  q.stale_after_seconds = now.stale_after_seconds;
  q.drop_when_keys_full = now.drop_when_keys_full != 0;
  return q;
}

void Directory::set_rule(const DirectorySpec& spec) {
  const Quotas& q = spec.quotas;
  now.max_keys = q.max_keys;
  now.max_key_bytes = q.max_key_bytes;
  now.max_value_bytes = q.max_value_bytes;
  now.max_total_bytes = q.max_total_bytes;
  now.max_bytes_per_key = q.max_bytes_per_key;
  now.max_events_per_key = q.max_events_per_key;
  now.max_age_seconds = q.max_age_seconds;
  now.reserve_bytes = q.reserve_bytes;
  now.stale_after_seconds = q.stale_after_seconds;
  now.drop_when_keys_full = q.drop_when_keys_full ? 1 : 0;
  now.control_instance = spec.control_instance;
  now.rule_birth = spec.rule_birth;
  now.rule_hash = spec.rule_hash;
  cold_dirty_ = 2;
  know_limits();
}

void Directory::know_limits() {
  max_pair_bytes_ =
      std::min({now.max_total_bytes, now.max_bytes_per_key, segment().geometry().max_record_bytes()});
  const bool none =
      now.max_keys == 0 || (now.kind == static_cast<Word>(Kind::log) && now.max_events_per_key == 0);
  const std::uint64_t key_bytes = std::min(now.max_key_bytes, max_pair_bytes_);
  plain_key_limit_ = none ? 0 : key_bytes + 1;
  plain_value_limit_ = std::min(now.max_value_bytes, max_pair_bytes_ - key_bytes) + 1;
}

void Directory::open(WorkerState& worker, const DirectorySpec& spec, std::uint64_t incarnation) {
  Slot& shared = segment().slot(slot);
  name = spec.name;
  // The slot is closed in the committed state, so no reader looks at the name.
  store_release(&shared.name_bytes, name.size());
  copy_in(shared.name, name.data(), name.size());
  Commit fresh{};
  fresh.removed_stored = now.removed_stored;
  fresh.removed_replaced = now.removed_replaced;
  std::copy(std::begin(now.removed_dropped), std::end(now.removed_dropped), fresh.removed_dropped);
  std::copy(std::begin(now.removed_evicted), std::end(now.removed_evicted), fresh.removed_evicted);
  now = fresh;
  now.state = kStateOpen;
  now.kind = static_cast<Word>(spec.kind);
  now.incarnation = incarnation;
  now.next_seq = 1;
  now.last_boot_ns = worker.now.boot_ns;
  set_rule(spec);
  measure_head_room();
  sweep_page_ = kMaxPages;
  appended_pages_ = 0;
  emptied_.clear();
  engine_.note_reserve(*this, spec.quotas.reserve_bytes);
  listed = true;
}

void Directory::close(WorkerState& worker) {
  now.evicted[static_cast<std::size_t>(EvictCause::directory_removed)] += now.records;
  now.removed_stored += now.stored;
  now.removed_replaced += now.replaced;
  for (std::size_t i = 0; i < kDropCauses; ++i) now.removed_dropped[i] += now.dropped[i];
  for (std::size_t i = 0; i < kEvictCauses; ++i) now.removed_evicted[i] += now.evicted[i];
  now.records = now.keys = now.bytes = 0;
  now.state = kStateClosed;
  cold_dirty_ = 2;
  engine_.note_reserve(*this, 0);
  listed = false;
  free_all(worker);
}

void Directory::adopt_page(std::uint32_t page, Word page_word) {
  const PageRole role = page_role(page_word);
  pages.fetch_add(1, std::memory_order_relaxed);
  if (role == PageRole::index || role == PageRole::root) return;
  ++record_pages_;
  live_physical_ += page_live(page_word);
  if (role != PageRole::continuation && page_live(page_word) == 0 && page != ref_page(now.head)) {
    emptied_.push_back(page);
  }
}

}  // namespace mayfly::shm
