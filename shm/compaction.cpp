// Freeing and merging pages. Always in transactions of their own, after the batch's commit:
// freeing inside the batch would take pages that the committed state still shows.
#include <algorithm>

#include "shm/directory_inline.h"

namespace mayfly::shm {
namespace {

constexpr std::uint32_t kUnlinkUndo = 8;
constexpr std::uint32_t kMergeUndo = 32;
constexpr std::uint32_t kSparsePages = 4;  // slack before merging is worth its while
constexpr std::uint32_t kStepsPerPage = 8;

}  // namespace

void Directory::maintain(WorkerState& worker) {
  if (now.records == 0 && pages.load(std::memory_order_relaxed) > 0) {
    begin(worker);
    free_all(worker);
    return;
  }
  if (!emptied_.empty()) free_emptied(worker);
  if (appended_pages_ > 0) {
    if (sparse()) sweep(worker);
    appended_pages_ = 0;
  }
}

void Directory::free_emptied(WorkerState& worker) {
  // A run may be noted twice: when it died as the last of the list, and when it was sealed.
  std::sort(emptied_.begin(), emptied_.end());
  emptied_.erase(std::unique(emptied_.begin(), emptied_.end()), emptied_.end());
  begin(worker);
  while (!emptied_.empty()) {
    const std::uint32_t first = emptied_.back();
    emptied_.pop_back();
    const std::uint32_t last = last_of_run(first);
    if (last == ref_page(now.head)) continue;  // comes back when the head moves on
    std::uint32_t run = 1;
    for (std::uint32_t page = first; page != last; page = ref_page(segment().line(page).next)) ++run;
    ensure_undo(worker, run + kUnlinkUndo);
    unlink_pages(worker, first, last);
  }
  commit(worker);
}

/// Takes the pages from `first` to `last` out of the list. Their own links stay for readers.
void Directory::unlink_pages(WorkerState& worker, std::uint32_t first, std::uint32_t last) {
  const Ref prev = segment().line(first).prev;
  const Ref next = segment().line(last).next;
  if (next == 0 || ref_page(next) >= segment().geometry().pages ||
      ref_page(prev) >= segment().geometry().pages) {
    corrupt("a page that is freed has no successor");
  }
  if (prev != 0) worker.txn.set(segment().line(ref_page(prev)).next, next);
  worker.txn.set(segment().line(ref_page(next)).prev, prev);
  for (std::uint32_t page = first;; page = ref_page(segment().line(page).next)) {
    forget_page(page);
    free_page(worker, page);
    --record_pages_;
    if (page == last) return;
  }
}

/// No process-local or committed hint may point into a page that goes.
void Directory::forget_page(std::uint32_t page) {
  if (sweep_page_ == page) sweep_page_ = kMaxPages;
  if (now.key_scan != 0 && ref_page(now.key_scan) == page) now.key_scan = 0;
}

/// Gives all pages up, of a directory without records: one commit, however many pages. Afterwards
/// nothing refers to them, so their page words need no log; recovery frees what is left of them.
void Directory::free_all(WorkerState& worker) {
  std::vector<std::uint32_t> gone;
  gone.reserve(pages.load(std::memory_order_relaxed));
  if (now.head != 0) {
    std::uint32_t page = ref_page(now.head);
    for (std::uint32_t steps = segment().geometry().pages;; --steps) {
      gone.push_back(page);
      const Ref prev = segment().line(page).prev;
      if (prev == 0) break;
      page = ref_page(prev);
      if (steps == 0 || page >= segment().geometry().pages) corrupt("the list of pages does not begin");
    }
  }
  index_.collect_pages(gone);
  now.head = now.tail = now.index_root = now.key_scan = 0;
  measure_head_room();
  commit(worker);
  for (const std::uint32_t page : gone) store_release(&segment().page_word(page), 0);
  pages.fetch_sub(gone.size(), std::memory_order_relaxed);
  engine_.pool.retire(gone);
  emptied_.clear();
  sweep_page_ = kMaxPages;
  record_pages_ = 0;
  live_physical_ = 0;
}

/// True while the record pages hold much more than what lives, and enough to matter.
bool Directory::sparse() const {
  const Geometry& geometry = segment().geometry();
  const std::uint64_t held = std::uint64_t{record_pages_} * geometry.page_bytes;
  const std::uint64_t slack = std::uint64_t{kSparsePages} * geometry.page_bytes;
  const bool roomy = engine_.pool.available() > geometry.pages / 2;
  const std::uint64_t times = roomy ? engine_.roomy_times : Engine::kTightTimes;
  return held > times * live_physical_ + slack || engine_.compact_eagerly;
}

bool Directory::mergeable(std::uint32_t page, std::uint32_t next) const {
  const Word one = load_relaxed(&segment().page_word(page));
  const Word two = load_relaxed(&segment().page_word(next));
  return page_role(one) == PageRole::records && page_role(two) == PageRole::records && page_live(one) > 0 &&
         page_live(two) > 0 && next != ref_page(now.head) &&
         page_live(one) + page_live(two) <= segment().geometry().page_bytes;
}

/// Looks for sparse neighbours from where it stopped last, bounded by what was appended.
void Directory::sweep(WorkerState& worker) {
  std::uint32_t steps = kStepsPerPage * (appended_pages_ + 1);
  std::uint32_t merges = appended_pages_ + 1;
  const std::uint32_t undo = kMergeUndo + 5 * (segment().geometry().page_bytes / kRecordHeaderBytes);
  for (; steps > 0 && merges > 0 && sparse(); --steps) {
    if (sweep_page_ == kMaxPages || sweep_page_ == ref_page(now.head)) sweep_page_ = ref_page(now.tail);
    const Ref next = segment().line(sweep_page_).next;
    if (sweep_page_ == ref_page(now.head) || next == 0) return;
    if (ref_page(next) >= segment().geometry().pages) corrupt("a page beyond the pages");
    if (!mergeable(sweep_page_, ref_page(next))) {
      sweep_page_ = ref_page(next);
      continue;
    }
    if (worker.stash.empty() && !engine_.pool.take(1, worker.stash)) return;
    begin(worker);
    if (worker.txn.room() < undo) corrupt("an undo log too small to merge pages");
    sweep_page_ = merge(worker, sweep_page_, ref_page(next));
    commit(worker);
    --merges;
  }
}

/// Puts the live records of two neighbours into one fresh page at their place of the list.
std::uint32_t Directory::merge(WorkerState& worker, std::uint32_t page, std::uint32_t next) {
  const std::uint32_t fresh = claim_page(worker, PageRole::records);
  ++record_pages_;
  const Ref place = segment().place(fresh, 0);
  const Ref before = segment().line(page).prev;
  const Ref behind = segment().line(next).next;
  if (ref_page(before) >= segment().geometry().pages || behind == 0 ||
      ref_page(behind) >= segment().geometry().pages) {
    corrupt("a page that is merged has no neighbours");
  }
  std::uint32_t fill = move_records(worker, page, fresh, 0);
  fill = move_records(worker, next, fresh, fill);
  turnover.merged += 2;
  add_live(worker, fresh, fill);
  live_physical_ -= page_live(segment().page_word(page)) + page_live(segment().page_word(next));
  PageLine& line = segment().line(fresh);
  store_release(&line.prev, before);
  store_release(&line.next, behind);
  store_release(&line.fill, fill);
  store_release(&line.role, static_cast<Word>(PageRole::records));
  if (before != 0) worker.txn.set(segment().line(ref_page(before)).next, place);
  worker.txn.set(segment().line(ref_page(behind)).prev, place);
  for (const std::uint32_t old : {page, next}) {
    if (ref_page(now.tail) == old) now.tail = place;
    if (now.key_scan != 0 && ref_page(now.key_scan) == old) now.key_scan = place;
    free_page(worker, old);
    --record_pages_;
  }
  return fresh;
}

std::uint32_t Directory::move_records(WorkerState& worker, std::uint32_t from, std::uint32_t to,
                                      std::uint32_t fill) {
  const std::uint64_t end = segment().line(from).fill;
  const std::uint32_t page_bytes = segment().geometry().page_bytes;
  for (std::uint32_t offset = 0; offset < end;) {
    const Ref old_place = segment().place(from, offset);
    const RecordHeader& header = record(old_place);
    const std::uint64_t size = record_bytes(key_bytes_of(header.lengths), value_bytes_of(header.lengths));
    if (end > page_bytes || size > end - offset) corrupt("a record beyond its page");
    if (header.death == 0) {
      if (size > page_bytes - fill) corrupt("a page with more than its live bytes");
      // The copy first: a reader that follows a link never comes to bytes that are not there yet.
      copy_in(segment().page(to) + fill / 8, &header, size);
      relink_moved(worker, old_place, segment().place(to, fill));
      fill += static_cast<std::uint32_t>(size);
    }
    offset += static_cast<std::uint32_t>(size);
  }
  return fill;
}

/// Everything that names the record by its place names the new one. The record's own links are
/// copied after it; a neighbour that was moved before it has already changed them.
void Directory::relink_moved(WorkerState& worker, Ref from, Ref to) {
  const RecordHeader& header = record(from);
  IndexEntry& entry = index_.find_owner(from, header);
  if (entry.oldest == from) {
    worker.txn.set(entry.oldest, to);
  } else {
    worker.txn.set(record(header.prev).next, to);
  }
  if (entry.newest == from) {
    worker.txn.set(entry.newest, to);
  } else {
    worker.txn.set(record(header.next).prev, to);
  }
}

}  // namespace mayfly::shm
