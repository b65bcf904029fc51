#include "shm/key_lookup.h"

#include <algorithm>

#include "shm/key_hash.h"

namespace mayfly::shm {
namespace {

constexpr int kLinkTries = 16;  // each failure means that the writer changed that very link meanwhile
// Uncommitted records before the newest committed one: no more than a batch has.
constexpr int kUncommittedSteps = 1024;

std::uint32_t ordinal_of(const RecordHeader& header) { return static_cast<std::uint32_t>(header.tag >> 32); }

}  // namespace

KeyLookup::KeyLookup(SegmentView& view, std::uint32_t slot, const CommittedState& state, std::string_view key)
    : view_(view),
      slot_(slot),
      state_(state),
      key_(key),
      hash_(key_hash(view.header().constants.hash_seed, key)),
      epoch_(load_acquire(&view.header().state.epoch)) {}

/// No commit since the state was loaded, and no other writer: what was read belongs to the state,
/// or to the one transaction that may be open after it.
bool KeyLookup::unchanged() const {
  return view_.generation(slot_) == state_.generation && load_acquire(&view_.header().state.epoch) == epoch_;
}

KeyLookup::Looked KeyLookup::newest(FoundRecord& found) {
  if (state_.commit.records == 0) return Looked::absent;
  if (!read_path()) return Looked::again;
  if (find_in_path(found, false)) return unchanged() ? Looked::found : Looked::again;
  if (!unchanged()) return Looked::again;
  undo_path();
  const bool there = find_in_path(found, true);
  if (!unchanged()) return Looked::again;
  return there ? Looked::found : Looked::absent;
}

/// Copies the entries where the key's may be. Where one was never used, none behind it ever was.
bool KeyLookup::read_path() {
  const Geometry& geometry = view_.geometry();
  const Ref root = state_.commit.index_root;
  const std::uint32_t depth = ref_offset(root) / 8;
  page_ = ref_page(root);
  if (root == 0 || depth > geometry.max_depth() || page_ >= geometry.pages) return false;
  if (depth > 0) {
    const auto slot = static_cast<std::uint32_t>(hash_ & ((Word{1} << depth) - 1));
    const Word pair = load_acquire(view_.page(page_) + slot / 2);
    page_ = static_cast<std::uint32_t>(slot % 2 == 0 ? pair & 0xffffffff : pair >> 32);
    view_.count_read(sizeof(Word));
    if (page_ >= geometry.pages) return false;
  }
  const std::uint32_t n = geometry.index_entries();
  const Word* words = view_.page(page_);
  first_ = first_index_probe(hash_, n);
  path_.clear();
  std::uint32_t i = first_;
  do {
    IndexEntry& entry = path_.emplace_back();
    copy_out(&entry, words + i * (sizeof(IndexEntry) / 8), sizeof(IndexEntry) / 8);
    i = (i + 1) & (n - 1);
  } while (path_.back().hash != kHashEmpty && path_.size() < n);
  view_.count_read(path_.size() * sizeof(IndexEntry));
  return true;
}

/// Makes the copied entries those of the commit.
void KeyLookup::undo_path() {
  const std::uint64_t from = view_.offset_of(view_.page(page_));
  const std::uint32_t n = view_.geometry().index_entries();
  view_.visit_uncommitted(slot_, state_.generation, [&](Word offset, Word old_value) {
    if (offset < from || offset - from >= n * sizeof(IndexEntry)) return;
    const auto entry = static_cast<std::uint32_t>((offset - from) / sizeof(IndexEntry));
    const std::uint32_t at = (entry - first_) & (n - 1);
    if (at >= path_.size()) return;
    std::memcpy(reinterpret_cast<char*>(&path_[at]) + (offset - from) % sizeof(IndexEntry), &old_value, 8);
  });
}

/// `exact`: the entries are those of the commit. Otherwise what is not beyond doubt is not found.
bool KeyLookup::find_in_path(FoundRecord& found, bool exact) {
  for (const IndexEntry& entry : path_) {
    if (entry.hash == kHashEmpty) return false;
    if (entry.hash != hash_ || !reach_committed(entry.newest, found, exact)) continue;
    events_ = live_events(entry.live);
    return true;
  }
  return false;
}

bool KeyLookup::is_of_key(const FoundRecord& found) const {
  return found.key == key_ && (found.header.tag & 0xffffffff) == (hash_ & 0xffffffff);
}

/// A record of the key at that place.
bool KeyLookup::load(Ref place, FoundRecord& found) {
  if (view_.load_record(place, state_, found) != Found::record || !is_of_key(found)) return false;
  place_ = place;
  seq_ = found.header.seq;
  ordinal_ = ordinal_of(found.header);
  return true;
}

/// From the newest there is to the newest that the state has.
bool KeyLookup::reach_committed(Ref newest, FoundRecord& found, bool exact) {
  if (!load(newest, found)) return false;
  // A successor that is not in the index: it was taken out by a transaction that may be open, it is
  // being put in, or never came to be.
  if (!exact && found.header.seq < state_.commit.next_seq && found.header.next != 0) return false;
  for (int steps = kUncommittedSteps; steps > 0; --steps) {
    if (found.header.seq < state_.commit.next_seq) {
      return found.header.death == 0 || found.header.death > state_.generation;
    }
    const std::uint64_t seq = found.header.seq;
    if (found.header.prev == 0 || !load(found.header.prev, found) || found.header.seq >= seq) return false;
  }
  return false;
}

/// What the link at `place` was at the newest commit, where a transaction that is open has changed it.
Ref KeyLookup::committed_prev(Ref place, Ref now) const {
  const std::uint64_t at =
      view_.offset_of(view_.page(ref_page(place))) + ref_offset(place) + offsetof(RecordHeader, prev);
  const Word generation = view_.generation(slot_);
  Ref prev = now;
  view_.visit_uncommitted(slot_, generation, [&](Word offset, Word old_value) {
    if (offset == at) prev = old_value;
  });
  return view_.generation(slot_) == generation ? prev : now;
}

Found KeyLookup::older(FoundRecord& found) {
  const Ref from = place_;
  const std::uint64_t seq = seq_;
  const std::uint32_t ordinal = ordinal_;
  for (int tries = kLinkTries; tries > 0; --tries) {
    Ref prev = view_.prev_at(from);
    view_.prefetch(prev);
    // In this order: the link was kept true when it was read.
    if (!view_.holds_records(slot_, from)) return Found::gone;
    if (prev == 0 || state_.commit.kind != static_cast<Word>(Kind::log)) return Found::end;
    Found got = view_.load_record(prev, state_, found);
    if (got == Found::record && ordinal_of(found.header) + 1 != ordinal) {
      // Not its neighbour: what stood between them may be going with a transaction that is open.
      const Ref committed = committed_prev(from, prev);
      if (committed != prev) got = view_.load_record(prev = committed, state_, found);
    }
    if (got == Found::broken) return got;
    if (got == Found::record) {
      if (!is_of_key(found) || found.header.seq >= seq) return Found::broken;
      const Word death = found.header.death;
      if (death != 0 && death <= view_.generation(slot_)) return Found::end;
      if (view_.holds_records(slot_, prev)) {
        place_ = prev;
        seq_ = found.header.seq;
        ordinal_ = ordinal_of(found.header);
        return Found::record;
      }
    }
    // The page was given up: either what lived in it was moved, and the link has changed by now, or
    // nothing in it lived any more.
    if (view_.prev_at(from) != prev) continue;
    if (!view_.holds_records(slot_, from) || got == Found::record) return Found::gone;
    return Found::end;
  }
  return Found::gone;
}

}  // namespace mayfly::shm
