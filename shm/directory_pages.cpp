// Places and pages of one directory: the list whose order is the order of sequence.
#include <algorithm>
#include <utility>

#include "shm/directory_inline.h"

namespace mayfly::shm {

void Directory::settle_tail() { settle_tail_inline(); }

/// Makes tail_ ready for a tail that was changed elsewhere.
void Directory::find_tail() {
  if (ref_offset(now.tail) >= end_of(ref_page(now.tail))) now.tail = normalise(now.tail);
  if (at_end(now.tail)) corrupt("no live record where some were counted");
  const std::uint32_t page = ref_page(now.tail);
  const std::uint32_t end = end_of(page);
  if (end > segment().geometry().page_bytes) corrupt("a page that is filled beyond its end");
  tail_.at = &record(now.tail);
  // The last page's end moves on, and a continuation's is not its record's: there every step is a long one.
  const bool steady = page != ref_page(now.head);
  tail_.end = reinterpret_cast<char*>(segment().page(page)) + (steady ? end : 0);
  tail_.ref = now.tail;
}

/// From a dead record to the one behind it, the long way.
void Directory::step_tail() {
  now.tail = after(tail_.ref);
  find_tail();
}

/// A place at the end of a page is the start of the next one; the end of the list is the head.
Ref Directory::normalise(Ref place) const {
  for (std::uint32_t steps = segment().geometry().pages; steps > 0; --steps) {
    if (place == now.head || place == 0) return now.head;
    const std::uint32_t page = ref_page(place);
    if (page >= segment().geometry().pages) break;
    const bool continuation = page_role(load_relaxed(&segment().page_word(page))) == PageRole::continuation;
    if (page == ref_page(now.head)) {
      if (continuation) return now.head;
      if (ref_offset(place) > ref_offset(now.head)) break;
      return place;
    }
    const PageLine& line = segment().line(page);
    if (!continuation && ref_offset(place) < line.fill) return place;
    place = line.next;
    if (place == 0) break;
  }
  corrupt("the list of pages does not lead to its head");
}

Ref Directory::after(Ref place) const { return after_inline(place); }

Ref Directory::behind(Ref place, const RecordHeader& header) const {
  const std::uint32_t page = ref_page(place);
  if (page_role(load_relaxed(&segment().page_word(page))) == PageRole::run) {
    const std::uint32_t last = last_of_run(page);
    return last == ref_page(now.head) ? now.head : normalise(segment().line(last).next);
  }
  const std::uint64_t size = record_bytes(key_bytes_of(header.lengths), value_bytes_of(header.lengths));
  if (size > segment().geometry().page_bytes - ref_offset(place)) corrupt("a record beyond its page");
  return normalise(place + size / 8);
}

std::uint32_t Directory::last_of_run(std::uint32_t first) const {
  std::uint32_t page = first;
  for (std::uint32_t steps = segment().geometry().pages; steps > 0; --steps) {
    const Ref next = segment().line(page).next;
    if (next == 0 || ref_page(next) >= segment().geometry().pages ||
        page_role(load_relaxed(&segment().page_word(ref_page(next)))) != PageRole::continuation) {
      return page;
    }
    page = ref_page(next);
  }
  corrupt("a run of pages does not end");
}

/// Pages that a record of `size` bytes opens: none if it fits behind the head.
std::uint32_t Directory::pages_for(std::uint64_t size) const {
  if (size <= head_room_) return 0;
  const std::uint32_t page_bytes = segment().geometry().page_bytes;
  return static_cast<std::uint32_t>((size + page_bytes - 1) / page_bytes);
}

/// Works out head_room_ after the head has moved to another page.
void Directory::measure_head_room() {
  head_room_ = 0;
  if (now.head == 0) return;
  const Word word = load_relaxed(&segment().page_word(ref_page(now.head)));
  if (page_role(word) != PageRole::continuation) {
    head_room_ =
        segment().geometry().page_bytes - std::min(segment().geometry().page_bytes, ref_offset(now.head));
  }
}

/// A place for a record that does not fit behind the head; the pages come from the worker's stash.
Ref Directory::place_in_pages(WorkerState& worker, std::uint64_t size) {
  const std::uint32_t page_bytes = segment().geometry().page_bytes;
  if (size <= page_bytes) {
    open_page(worker, PageRole::records, 0);
    return place_behind_head(size);
  }
  const std::uint32_t first = open_page(worker, PageRole::run, page_bytes);
  std::uint64_t left = size - page_bytes;
  while (left > 0) {
    const auto part = static_cast<std::uint32_t>(std::min<std::uint64_t>(left, page_bytes));
    open_page(worker, PageRole::continuation, part);
    now.head += part / 8;
    left -= part;
  }
  return segment().place(first, 0);
}

std::uint32_t Directory::claim_page(WorkerState& worker, PageRole role) {
  if (worker.stash.empty()) corrupt("no page was reserved");
  const std::uint32_t page = worker.stash.back();
  worker.stash.pop_back();
  if (load_relaxed(&segment().page_word(page)) != 0) corrupt("a free page has an owner");
  // SYNC POINT: the stamp goes first and is never put back, so that whoever still reads the page's
  // former contents notices. Pairs with the stamp's second load in SegmentView::copy_page.
  Word stamp = load_relaxed(&segment().stamp(page)) + 1;
  if ((stamp & kStampMask) == 0) ++stamp;
  store_release(&segment().stamp(page), stamp);
  worker.txn.set(segment().page_word(page), make_page_word(slot, role, 0));
  engine_.page_touched[page] = worker.txn.id();
  pages.fetch_add(1, std::memory_order_relaxed);
  return page;
}

/// Puts a fresh page at the end of the list and seals the one before it.
std::uint32_t Directory::open_page(WorkerState& worker, PageRole role, std::uint32_t fill) {
  write_live(worker);
  const std::uint32_t page = claim_page(worker, role);
  ++record_pages_;
  ++appended_pages_;
  ++turnover.opened;
  const Ref place = segment().place(page, 0);
  PageLine& line = segment().line(page);
  store_release(&line.next, 0);
  store_release(&line.fill, fill);
  store_release(&line.role, static_cast<Word>(role));
  if (now.head == 0) {
    store_release(&line.prev, 0);
    now.tail = place;
  } else {
    const std::uint32_t before = ref_page(now.head);
    PageLine& last = segment().line(before);
    store_release(&line.prev, segment().place(before, 0));
    if (last.fill == 0) worker.txn.set(last.fill, ref_offset(now.head));
    worker.txn.set(last.next, place);
    if (role != PageRole::continuation) note_sealed(before);  // else the run is not complete yet
    if (now.tail == now.head && role != PageRole::continuation) now.tail = place;
  }
  now.head = place;
  measure_head_room();
  return page;
}

/// A page that is not the last any more: if nothing in it lives, it is to be freed.
void Directory::note_sealed(std::uint32_t page) {
  Word word = load_relaxed(&segment().page_word(page));
  for (std::uint32_t steps = segment().geometry().pages; page_role(word) == PageRole::continuation; --steps) {
    const Ref prev = segment().line(page).prev;
    if (steps == 0 || prev == 0 || ref_page(prev) >= segment().geometry().pages)
      corrupt("a run without a start");
    page = ref_page(prev);
    word = load_relaxed(&segment().page_word(page));
  }
  if (page_live(word) == 0) emptied_.push_back(page);
}

/// Writes what add_live() and remove_live() have gathered.
void Directory::write_live(WorkerState& worker) {
  if (added_.bytes > 0) change_live(worker, added_.page, added_.bytes, 0);
  added_ = {};
  write_removed(worker);
}

void Directory::write_removed(WorkerState& worker) {
  const LiveChange gone = std::exchange(removed_, {});
  if (gone.bytes == 0) return;
  const Word word = change_live(worker, gone.page, 0, gone.bytes);
  if (page_live(word) == 0 && gone.page != ref_page(now.head)) emptied_.push_back(gone.page);
}

Word Directory::change_live(WorkerState& worker, std::uint32_t page, std::uint64_t added,
                            std::uint64_t removed) {
  Word& shared = segment().page_word(page);
  const Word before = load_relaxed(&shared);
  if (page_live(before) + added < removed) corrupt("a page with less than is evicted");
  const Word after_it = before + (added - removed) * kPageLiveUnit;
  if (engine_.page_touched[page] == worker.txn.id()) {
    store_release(&shared, after_it);
  } else {
    worker.txn.set(shared, after_it);
    engine_.page_touched[page] = worker.txn.id();
  }
  return after_it;
}

/// Gives a page up; it is retired with the commit.
void Directory::free_page(WorkerState& worker, std::uint32_t page) {
  worker.txn.set(segment().page_word(page), 0);
  worker.freed.push_back(page);
  ++turnover.freed;
  pages.fetch_sub(1, std::memory_order_relaxed);
}

namespace {

constexpr std::size_t kCacheLine = 64;

void prefetch_lines(const void* from, std::size_t bytes) {
  const char* const begin = static_cast<const char*>(from);
  for (std::size_t at = 0; at < bytes; at += kCacheLine) __builtin_prefetch(begin + at, 1);
}

}  // namespace

void Directory::prefetch() const {
  prefetch_lines(this, sizeof *this);
  __builtin_prefetch(&segment().slot(slot).generation, 1);
}

/// The index entry of the record behind the tail, which is likely to go next.
void Directory::fetch_next_victim() const {
  const char* const next =
      reinterpret_cast<const char*>(tail_.at) + record_bytes(counted_bytes(*tail_.at), 0);
  if (next + kRecordHeaderBytes > tail_.end) return;
  index_.prefetch_entry(load_relaxed(&reinterpret_cast<const RecordHeader*>(next)->tag) & 0xffffffff);
  __builtin_prefetch(next + record_bytes(counted_bytes(*tail_.at), 0), 1);
}

void Directory::prefetch_places() const {
  constexpr std::size_t kRecordAhead = 192;  // of the next record, whose size is not known yet
  const Ref head = load_relaxed(&now.head);
  const Ref tail = load_relaxed(&now.tail);
  const Word next_generation = load_relaxed(&generation) + 1;
  prefetch_lines(&segment().slot(slot).copies[next_generation & 1], kHotWords * 8);
  if (const char* const place = segment().address_of(head, kRecordAhead)) prefetch_lines(place, kRecordAhead);
  __builtin_prefetch(segment().address_of(tail, kRecordHeaderBytes), 1);
  if (ref_page(head) < segment().geometry().pages)
    __builtin_prefetch(&segment().page_word(ref_page(head)), 1);
}

}  // namespace mayfly::shm
