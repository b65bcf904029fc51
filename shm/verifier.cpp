#include "shm/verifier.h"

#include <algorithm>

#include "shm/quotas.h"

namespace mayfly::shm {
namespace {

constexpr std::size_t kMaxErrors = 100;
constexpr Word kCommitsPerBatch = 8;  // the batch's own, and those of freeing and merging after it

}  // namespace

void Verifier::error(const std::string& what) {
  ++errors_;
  if (report_.errors.size() < kMaxErrors) report_.errors.push_back(where_ + ": " + what);
}

void Verifier::check_total(const char* what, std::uint64_t said, std::uint64_t found) {
  if (said != found) {
    error(std::string(what) + ": " + std::to_string(said) + " said, " + std::to_string(found) + " found");
  }
}

bool Verifier::page_ok(Ref ref) const {
  return ref != 0 && ref_page(ref) < segment_.geometry().pages &&
         (segment_.stamp(ref_page(ref)) & kStampMask) == ref_stamp(ref);
}

/// The header at a place that was checked.
RecordHeader Verifier::header_at(Ref place) const {
  RecordHeader header;
  copy_out(&header, segment_.page(ref_page(place)) + ref_offset(place) / 8, kRecordHeaderBytes / 8);
  return header;
}

void Verifier::run() {
  where_ = "header";
  const Word used = segment_.header().state.slots_used;
  if (used > segment_.geometry().slots) return error("more slots in use than there are");
  seen_.assign(segment_.geometry().pages, 0);
  for (std::uint32_t slot = 0; slot < used; ++slot) check_directory(slot);
  check_pages();
}

void Verifier::check_directory(std::uint32_t slot) {
  const Slot& shared = segment_.slot(slot);
  slot_ = slot;
  generation_ = shared.generation;
  commit_ = shared.copies[generation_ & 1];
  const Commit& c = commit_;
  if (c.state == kStateClosed) return;
  char text[kMaxNameBytes];
  copy_out(text, shared.name, kMaxNameBytes / 8);
  const std::string name(text, std::min<Word>(shared.name_bytes, kMaxNameBytes));
  where_ = "directory '" + name + "'";
  keys_.clear();
  by_hash_.clear();
  records_ = bytes_ = entries_ = last_seq_ = first_live_seq_ = first_live_ = run_left_ = errors_ = deaths_ =
      0;
  near_death_ = false;
  list_is_whole_ = c.head != 0;
  check(c.state == kStateOpen && valid_directory_name(name) && (c.kind == 1 || c.kind == 2),
        "not a proper directory");
  if (c.head != 0) walk_pages(slot, c);
  check_totals(c);
  check_index(slot, c);
  if (deaths_ == 0) return;
  // Alone they are damage: of a generation word, say. In a copy that was taken too slowly, what they
  // took is missing from the totals.
  if (errors_ > 0) {
    late_deaths_ += deaths_;
    next_commits_deaths_ = next_commits_deaths_ || near_death_;
  }
  error(std::to_string(deaths_) + " records died after the last commit");
}

void Verifier::check_totals(const Commit& c) {
  std::uint64_t evicted = 0;
  for (const Word n : c.evicted) evicted += n;
  check(c.stored == c.records + c.replaced + evicted, "stored is not records + replaced + evicted");
  check_total("records", c.records, records_);
  check_total("bytes", c.bytes, bytes_);
  check_total("keys", c.keys, keys_.size());
  check(c.keys <= c.max_keys && c.bytes <= c.max_total_bytes, "over a quota of the directory");
  check(c.first_seq == first_live_seq_, "first_seq is not the oldest live record's");
  check(records_ == 0 || c.tail == first_live_, "the tail is not the oldest live record");
  for (const auto& [key, count] : keys_) {
    const std::uint64_t most = c.kind == static_cast<Word>(Kind::status) ? 1 : c.max_events_per_key;
    check(key.size() <= c.max_key_bytes && count.bytes <= c.max_bytes_per_key && count.places.size() <= most,
          "a key over its quota");
    check_links(count);
  }
}

/// A key's live records are a chain in both directions.
void Verifier::check_links(const KeyCount& key) {
  for (std::size_t i = 0; i + 1 < key.places.size(); ++i) {
    const Ref one = key.places[i].ref;
    const Ref two = key.places[i + 1].ref;
    const Ref next = header_at(one).next;
    const Ref prev = header_at(two).prev;
    if (next == two && prev == one) continue;
    note_move(next, two);
    note_move(prev, one);
    error("a key's records are not linked to one another");
  }
}

bool Verifier::take_page(std::uint32_t slot, std::uint32_t page, bool index) {
  const Word word = segment_.page_word(page);
  const PageRole role = page_role(word);
  check_page(word != 0 && page_owner(word) == slot, page, "has another owner");
  const bool indexing = role == PageRole::index || role == PageRole::root;
  const bool recording = role == PageRole::records || role == PageRole::run || role == PageRole::continuation;
  check_page(index ? indexing : recording && segment_.line(page).role == static_cast<Word>(role), page,
             "has another role");
  check_page(!index || page_live(word) == 0, page, "has live bytes that it cannot have");
  check_page(seen_[page] == 0, page, "is used twice");
  if (seen_[page] != 0) return false;
  seen_[page] = 1;
  return true;
}

/// The list begins at or before the tail: pages that were emptied last may stand before it.
Ref Verifier::first_page(const Commit& c) {
  Ref first = c.tail;
  for (std::uint32_t steps = segment_.geometry().pages; steps > 0; --steps) {
    const Ref before = segment_.line(ref_page(first)).prev;
    if (!page_ok(before)) return first;
    first = before;
  }
  return 0;
}

/// Walks the links alone first, so that one bad record does not make pages look unlisted.
void Verifier::walk_pages(std::uint32_t slot, const Commit& c) {
  std::vector<std::uint32_t> list;
  list_is_whole_ = list_pages(slot, c, list);
  const std::uint32_t head = ref_page(c.head);
  for (const std::uint32_t page : list) {
    const Word limit = page == head ? ref_offset(c.head) : segment_.line(page).fill;
    if (limit > segment_.geometry().page_bytes) {
      check_page(false, page, "is filled beyond its size");
    } else {
      visit_page(page, static_cast<std::uint32_t>(limit));
    }
  }
  check(run_left_ == 0, "a run of pages that ends early");
}

bool Verifier::list_pages(std::uint32_t slot, const Commit& c, std::vector<std::uint32_t>& list) {
  const auto broken = [&](const char* what) { return error(what), false; };
  if (!page_ok(c.head) || !page_ok(c.tail)) return broken("the list's ends are no pages");
  const Ref first = first_page(c);
  if (first == 0) return broken("the list of pages has no beginning");
  std::uint32_t page = ref_page(first);
  Ref prev = 0;
  bool whole = true;
  while (take_page(slot, page, false)) {
    list.push_back(page);
    const PageLine& line = segment_.line(page);
    check_page(line.prev == prev, page, "is linked to another one before it");
    if (line.prev != prev) note_newer_before(page);
    whole = whole && line.prev == prev;
    if (page == ref_page(c.head)) return whole;
    if (!page_ok(line.next)) {
      note_newer_behind(page);
      break;
    }
    prev = segment_.place(page, 0);
    page = ref_page(line.next);
  }
  return broken("the list of pages does not lead to its head");
}

void Verifier::visit_page(std::uint32_t page, std::uint32_t limit) {
  const Word word = segment_.page_word(page);
  const std::uint32_t page_bytes = segment_.geometry().page_bytes;
  const bool continuation = page_role(word) == PageRole::continuation;
  check_page(continuation == (run_left_ > 0), page, "is not where a run of pages wants it");
  run_left_ -= run_left_ > 0 ? 1 : 0;
  const bool ours =
      page_owner(word) == slot_ && (page_role(word) == PageRole::records || page_role(word) == PageRole::run);
  std::uint64_t live = 0;
  for (std::uint32_t offset = 0; !continuation && offset < limit;) {
    if (limit - offset < kRecordHeaderBytes) return check_page(false, page, "has a record beyond its end");
    const Ref place = segment_.place(page, offset);
    const RecordHeader header = header_at(place);
    const std::uint64_t key_bytes = key_bytes_of(header.lengths);
    const std::uint64_t size = record_bytes(key_bytes, value_bytes_of(header.lengths));
    const bool run = page_role(word) == PageRole::run;
    if (run ? offset > 0 || size <= page_bytes || size - kRecordHeaderBytes > kMaxRecordBytes + 7
            : size > limit - offset) {
      return check_page(false, page, "has a record beyond its end");
    }
    check_page(header.seq > last_seq_ && header.seq < commit_.next_seq, page, "has records out of order");
    last_seq_ = header.seq;
    if (header.death == 0) {
      live += size;
      visit_record(place, header, key_at(page, offset + kRecordHeaderBytes, key_bytes));
    } else if (header.death > generation_ && ours) {
      ++deaths_;
      near_death_ = near_death_ || header.death - generation_ <= kCommitsPerBatch;
    }
    if (run) {
      run_left_ = (size - 1) / page_bytes;
      break;
    }
    offset += static_cast<std::uint32_t>(size);
  }
  check_total(("page " + std::to_string(page) + ": live bytes").c_str(), page_live(word), live);
}

/// A key, which may go on in the next pages of its run.
std::string Verifier::key_at(std::uint32_t page, std::uint32_t offset, std::uint64_t bytes) const {
  const std::uint32_t page_bytes = segment_.geometry().page_bytes;
  std::string key;
  std::uint64_t left = bytes;
  while (true) {
    const std::uint64_t part = std::min<std::uint64_t>(left, page_bytes - offset);
    key.append(reinterpret_cast<const char*>(segment_.page(page)) + offset, part);
    left -= part;
    const Ref next = segment_.line(page).next;
    if (left == 0 || !page_ok(next)) return key;
    page = ref_page(next);
    offset = 0;
  }
}

void Verifier::visit_record(Ref place, const RecordHeader& header, std::string_view key) {
  if (records_++ == 0) {
    first_live_ = place;
    first_live_seq_ = header.seq;
  }
  const std::uint64_t bytes = key_bytes_of(header.lengths) + value_bytes_of(header.lengths);
  bytes_ += bytes;
  KeyCount& count = keys_.try_emplace(std::string(key)).first->second;
  const auto hash_low = static_cast<std::uint32_t>(header.tag);
  if (count.places.empty()) count.hash_low = hash_low;
  check(count.hash_low == hash_low, "two hashes for one key");
  count.places.push_back({place, bytes});
  count.bytes += bytes;
}

}  // namespace mayfly::shm
