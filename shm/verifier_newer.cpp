// Signs that a file was copied while it was written: header, columns and pages are copied one after
// the other, so that later parts know of commits that earlier parts do not. Every sign is made of
// several words that agree, so that no single damaged word looks like one.
#include "shm/verifier.h"

namespace mayfly::shm {
namespace {

constexpr Word kFarAhead = Word{1} << 40;  // more sequence numbers than are given during any copy
constexpr Word kFewReuses = 1 << 12;       // of one page, during any copy

}  // namespace

bool Verifier::newer_than_its_commits() const {
  return newer_signs_ > 0 || moves_to_come_ > 1 || late_deaths_ > 1 || next_commits_deaths_;
}

/// A place that the committed list does not reach: behind the head, or in a page of no list that is
/// of this incarnation, or will be.
bool Verifier::newer_place(Ref place) const {
  const std::uint32_t page = ref_page(place);
  if (place == 0 || page >= segment_.geometry().pages || !list_is_whole_ ||
      ref_offset(place) + kRecordHeaderBytes > segment_.geometry().page_bytes) {
    return false;
  }
  if (page == ref_page(commit_.head)) return page_ok(place) && ref_offset(place) >= ref_offset(commit_.head);
  return seen_[page] == 0 && (page_ok(place) || stamp_to_come(place));
}

/// The page's stamp was copied before the page was taken.
bool Verifier::stamp_to_come(Ref place) const {
  const Word stamp = segment_.stamp(ref_page(place)) & kStampMask;
  return ref_stamp(place) > stamp && ref_stamp(place) - stamp < kFewReuses;
}

/// A page that was given up keeps its stamp, and has no owner.
bool Verifier::page_given_up(Ref place) const {
  return page_ok(place) && segment_.page_word(ref_page(place)) == 0;
}

/// A word names a place in a page that is still to be taken. Where the page's owner too says that it is
/// not taken yet, and the stamp is the very next, it is a sign; else one of two that are needed.
void Verifier::note_to_come(Ref place) {
  const std::uint32_t page = ref_page(place);
  const Word word = segment_.page_word(page);
  const bool not_taken = word == 0 || page_owner(word) != slot_;
  const Word next_stamp = (segment_.stamp(page) & kStampMask) + 1;
  ++(not_taken && ref_stamp(place) == next_stamp ? newer_signs_ : moves_to_come_);
}

/// A word says that the record at `listed` is elsewhere: it may know of a later move.
void Verifier::note_move(Ref said, Ref listed) {
  if (said == listed || !newer_place(said)) return;
  if (header_at(said).seq == header_at(listed).seq) {
    ++newer_signs_;
  } else if (stamp_to_come(said)) {
    note_to_come(said);
  }
}

/// The page behind it was put there later: the one behind that knows it under the same stamp.
void Verifier::note_newer_behind(std::uint32_t page) {
  const Ref next = segment_.line(page).next;
  if (next == 0 || ref_page(next) >= segment_.geometry().pages || !stamp_to_come(next)) return;
  const std::uint32_t behind = ref_page(segment_.line(ref_page(next)).next);
  if (behind < segment_.geometry().pages && segment_.line(behind).prev == next) note_to_come(next);
}

/// The page before it is in no list, and names this one as the next: it was put there later.
void Verifier::note_newer_before(std::uint32_t page) {
  const Ref prev = segment_.line(page).prev;
  if (prev != 0 && ref_page(prev) < segment_.geometry().pages && seen_[ref_page(prev)] == 0 &&
      segment_.line(ref_page(prev)).next == segment_.place(page, 0)) {
    note_to_come(prev);
  }
}

/// An entry that knows of records after the commit, of evictions after it, or of moves.
bool Verifier::newer_entry(const IndexEntry& entry, const KeyCount& key) const {
  if (newer_place(entry.newest)) {
    const RecordHeader header = header_at(entry.newest);
    const bool there = header.seq >= commit_.next_seq && header.seq - commit_.next_seq < kFarAhead &&
                       static_cast<std::uint32_t>(header.tag) == static_cast<std::uint32_t>(entry.hash);
    // If not, the record's own page was copied before the record came.
    const bool counted = key.places.empty()
                             ? entry.oldest == entry.newest && !page_given_up(entry.newest)
                             : entry.oldest == entry.newest || live_events(entry.live) > key.places.size();
    if (there || counted) return true;
  }
  if (key.places.empty()) return false;
  // Its oldest records went: what it counts are exactly those from `oldest` on.
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;
  for (auto at = key.places.rbegin(); at != key.places.rend(); ++at) {
    ++events;
    bytes += at->bytes;
    if (at->ref == entry.oldest) {
      return events < key.places.size() && entry.live == make_live(events, bytes) &&
             entry.newest == key.places.back().ref;
    }
  }
  return false;
}

/// A tombstone whose other words are still exactly those of a key that the list shows alive.
bool Verifier::removed_entry(const IndexEntry& entry) const {
  if (entry.newest == 0 || !page_ok(entry.newest) ||
      ref_offset(entry.newest) + kRecordHeaderBytes > segment_.geometry().page_bytes) {
    return false;
  }
  const auto [begin, end] = by_hash_.equal_range(static_cast<std::uint32_t>(header_at(entry.newest).tag));
  for (auto at = begin; at != end; ++at) {
    const KeyCount& key = *at->second;
    if (key.places.back().ref == entry.newest && key.places.front().ref == entry.oldest) return true;
  }
  return false;
}

/// A page in no list whose first record is newer than its directory's commit.
bool Verifier::newer_page(std::uint32_t page, Word word) const {
  if (page_role(word) != PageRole::records && page_role(word) != PageRole::run) return false;
  const Slot& shared = segment_.slot(page_owner(word));
  const Commit& c = shared.copies[shared.generation & 1];
  const RecordHeader header = header_at(segment_.place(page, 0));
  return header.seq >= c.next_seq && header.seq - c.next_seq < kFarAhead;
}

/// A page that was taken out of its list: its own links stay, and its neighbours name each other.
bool Verifier::unlinked_page(std::uint32_t page) const {
  const PageLine& line = segment_.line(page);
  const PageRole role = page_role(segment_.page_word(page));
  const bool holds_records =
      role == PageRole::records || role == PageRole::run || role == PageRole::continuation;
  if (!holds_records || !page_ok(line.prev) || !page_ok(line.next)) return false;
  return segment_.line(ref_page(line.prev)).next == line.next &&
         segment_.line(ref_page(line.next)).prev == line.prev;
}

}  // namespace mayfly::shm
