#include "shm/verify.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "shm/engine.h"
#include "shm/segment_file.h"

namespace mayfly::shm {
namespace {

constexpr std::size_t kMaxErrors = 100;

/// Holds one segment image, private and rolled back, against itself.
class Verifier {
 public:
  Verifier(const Segment& segment, VerifyReport& report) : segment_(segment), report_(report) {}

  void run() {
    const Word used = load_acquire(&segment_.header().state.slots_used);
    if (used > segment_.geometry().slots) return error("header", "more slots in use than there are");
    seen_.assign(segment_.geometry().pages, 0);
    for (std::uint32_t slot = 0; slot < used; ++slot) check_directory_slot(slot);
    check_pages();
  }

 private:
  struct KeyCount {
    std::uint64_t events = 0;
    std::uint64_t bytes = 0;
    Ref oldest = 0;
    Ref newest = 0;
    std::uint32_t hash_low = 0;
    std::vector<Ref> places;
  };

  void error(const std::string& where, const std::string& what) {
    if (report_.errors.size() < kMaxErrors) report_.errors.push_back(where + ": " + what);
  }
  void check(bool ok, const std::string& what) {
    if (!ok) error(where_, what);
  }
  bool page_ok(Ref ref) const {
    return ref != 0 && ref_page(ref) < segment_.geometry().pages &&
           (load_acquire(&segment_.stamp(ref_page(ref))) & kStampMask) == ref_stamp(ref);
  }

  void check_directory_slot(std::uint32_t slot);
  void check_quotas(const Commit& c);
  bool walk_pages(std::uint32_t slot, const Commit& c);
  bool take_page(std::uint32_t slot, std::uint32_t page, bool index);
  bool visit_page(const Commit& c, std::uint32_t page, std::uint32_t limit);
  void visit_record(Ref place, const RecordHeader& header, std::string_view key);
  void check_index(std::uint32_t slot, const Commit& c);
  void check_index_page(std::uint32_t page, std::uint32_t root_slot, std::uint64_t& entries);
  void check_links(const KeyCount& key);
  void check_pages();

  const Segment& segment_;
  VerifyReport& report_;
  std::vector<std::uint8_t> seen_;  // by page: 1 = in a list or an index
  std::string where_;
  // of the directory at hand
  std::map<std::string, KeyCount, std::less<>> keys_;
  std::uint64_t records_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t last_seq_ = 0;
  std::uint64_t first_live_seq_ = 0;
};

void Verifier::check_quotas(const Commit& c) {
  std::uint64_t evicted = 0;
  for (const Word n : c.evicted) evicted += n;
  check(c.stored == c.records + c.replaced + evicted, "stored is not records + replaced + evicted");
  check(records_ == c.records,
        "records: " + std::to_string(c.records) + " said, " + std::to_string(records_) + " found");
  check(bytes_ == c.bytes,
        "bytes: " + std::to_string(c.bytes) + " said, " + std::to_string(bytes_) + " found");
  check(keys_.size() == c.keys,
        "keys: " + std::to_string(c.keys) + " said, " + std::to_string(keys_.size()) + " found");
  check(c.keys <= c.max_keys && c.bytes <= c.max_total_bytes, "over a quota of the directory");
  check(c.first_seq == first_live_seq_, "first_seq is not the oldest live record's");
  for (const auto& [key, count] : keys_) {
    check(key.size() <= c.max_key_bytes && count.bytes <= c.max_bytes_per_key &&
              count.events <= (c.kind == static_cast<Word>(Kind::status) ? 1 : c.max_events_per_key),
          "a key over its quota");
    check_links(count);
  }
}

/// A key's live records are a chain in both directions.
void Verifier::check_links(const KeyCount& key) {
  for (std::size_t i = 0; i + 1 < key.places.size(); ++i) {
    const auto header = [&](Ref place) {
      return *reinterpret_cast<const RecordHeader*>(segment_.page(ref_page(place)) + ref_offset(place) / 8);
    };
    check(header(key.places[i]).next == key.places[i + 1] && header(key.places[i + 1]).prev == key.places[i],
          "a key's records are not linked to one another");
  }
}

void Verifier::check_directory_slot(std::uint32_t slot) {
  const Slot& shared = segment_.slot(slot);
  Commit c;
  copy_out(&c, reinterpret_cast<const Word*>(&shared.copies[load_acquire(&shared.generation) & 1]),
           kCommitWords);
  if (c.state == kStateClosed) return;
  char text[kMaxNameBytes];
  copy_out(text, shared.name, kMaxNameBytes / 8);
  const std::string name(text, std::min<Word>(load_acquire(&shared.name_bytes), kMaxNameBytes));
  where_ = "directory '" + name + "'";
  check(c.state == kStateOpen && valid_directory_name(name) && (c.kind == 1 || c.kind == 2),
        "not a proper directory");
  keys_.clear();
  records_ = bytes_ = last_seq_ = first_live_seq_ = 0;
  if (c.head != 0 && walk_pages(slot, c)) {
    check(last_seq_ < c.next_seq, "a record with a sequence number not given yet");
  }
  check_quotas(c);
  check_index(slot, c);
}

bool Verifier::take_page(std::uint32_t slot, std::uint32_t page, bool index) {
  const Word word = load_acquire(&segment_.page_word(page));
  const PageRole role = page_role(word);
  check(word != 0 && page_owner(word) == slot, "page " + std::to_string(page) + " has another owner");
  check((role == PageRole::index || role == PageRole::root) == index,
        "page " + std::to_string(page) + " has another role");
  if (seen_[page] != 0) {
    check(false, "page " + std::to_string(page) + " is used twice");
    return false;
  }
  seen_[page] = 1;
  return true;
}

bool Verifier::walk_pages(std::uint32_t slot, const Commit& c) {
  if (!page_ok(c.head) || !page_ok(c.tail)) {
    check(false, "the list's ends are no pages");
    return false;
  }
  // The list begins at or before the tail: pages that were emptied last may stand before it.
  Ref first = c.tail;
  for (std::uint32_t steps = segment_.geometry().pages; page_ok(segment_.line(ref_page(first)).prev);
       --steps) {
    if (steps == 0) return error(where_, "the list of pages has no beginning"), false;
    first = segment_.line(ref_page(first)).prev;
  }
  std::uint32_t page = ref_page(first);
  Ref prev = 0;
  while (true) {
    if (!take_page(slot, page, false)) return false;
    const PageLine& line = segment_.line(page);
    check(line.prev == prev, "page " + std::to_string(page) + " is linked to another one before it");
    const bool is_head = page == ref_page(c.head);
    if (!visit_page(c, page, is_head ? ref_offset(c.head) : static_cast<std::uint32_t>(line.fill)))
      return false;
    if (is_head) return true;
    if (!page_ok(line.next)) {
      check(false, "the list of pages does not lead to its head");
      return false;
    }
    prev = segment_.place(page, 0);
    page = ref_page(line.next);
  }
}

bool Verifier::visit_page(const Commit& c, std::uint32_t page, std::uint32_t limit) {
  const Word word = load_acquire(&segment_.page_word(page));
  if (page_role(word) == PageRole::continuation) return true;
  const std::uint32_t page_bytes = segment_.geometry().page_bytes;
  std::uint64_t live = 0;
  if (limit > page_bytes) return error(where_, "a page filled beyond its size"), false;
  for (std::uint32_t offset = 0; offset + kRecordHeaderBytes <= limit;) {
    RecordHeader header;
    copy_out(&header, segment_.page(page) + offset / 8, kRecordHeaderBytes / 8);
    const std::uint64_t key_bytes = key_bytes_of(header.lengths);
    const std::uint64_t size = record_bytes(key_bytes, value_bytes_of(header.lengths));
    const bool run = page_role(word) == PageRole::run;
    if (!run && size > limit - offset) return error(where_, "a record beyond its page"), false;
    if (header.seq <= last_seq_ || header.seq >= c.next_seq)
      return error(where_, "sequence numbers out of order"), false;
    last_seq_ = header.seq;
    if (header.death == 0) {
      live += size;
      const std::uint64_t here = std::min<std::uint64_t>(key_bytes, page_bytes - offset - kRecordHeaderBytes);
      std::string key(reinterpret_cast<const char*>(segment_.page(page)) + offset + kRecordHeaderBytes, here);
      Ref next = segment_.line(page).next;
      while (key.size() < key_bytes && page_ok(next)) {  // a key that crosses pages
        key.append(reinterpret_cast<const char*>(segment_.page(ref_page(next))),
                   std::min<std::uint64_t>(key_bytes - key.size(), page_bytes));
        next = segment_.line(ref_page(next)).next;
      }
      visit_record(segment_.place(page, offset), header, key);
    }
    if (run) break;
    offset += static_cast<std::uint32_t>(size);
  }
  check(live == page_live(word), "page " + std::to_string(page) + ": live bytes " +
                                     std::to_string(page_live(word)) + " said, " + std::to_string(live) +
                                     " found");
  return true;
}

void Verifier::visit_record(Ref place, const RecordHeader& header, std::string_view key) {
  if (records_++ == 0) first_live_seq_ = header.seq;
  const std::uint64_t bytes = key_bytes_of(header.lengths) + value_bytes_of(header.lengths);
  bytes_ += bytes;
  auto [at, fresh] = keys_.try_emplace(std::string(key));
  KeyCount& count = at->second;
  if (fresh) {
    count.oldest = place;
    count.hash_low = static_cast<std::uint32_t>(header.tag);
  }
  count.newest = place;
  count.places.push_back(place);
  check(count.hash_low == static_cast<std::uint32_t>(header.tag), "two hashes for one key");
  ++count.events;
  count.bytes += bytes;
}

void Verifier::check_index(std::uint32_t slot, const Commit& c) {
  if (c.index_root == 0) return check(keys_.empty(), "keys without an index");
  const std::uint32_t depth = ref_offset(c.index_root) / 8;
  if (!page_ok(c.index_root) || depth > segment_.geometry().max_depth())
    return check(false, "the index has no root");
  std::uint64_t entries = 0;
  if (depth == 0) {
    if (take_page(slot, ref_page(c.index_root), true)) check_index_page(ref_page(c.index_root), 0, entries);
  } else {
    take_page(slot, ref_page(c.index_root), true);
    for (std::uint32_t i = 0; i < 1u << depth; ++i) {
      const Word pair = load_acquire(segment_.page(ref_page(c.index_root)) + i / 2);
      const auto page = static_cast<std::uint32_t>(i % 2 == 0 ? pair & 0xffffffff : pair >> 32);
      if (page >= segment_.geometry().pages) return check(false, "an index page beyond the pages");
      const std::uint32_t page_depth = static_cast<std::uint32_t>(segment_.line(page).fill >> 32);
      if (page_depth > depth) return check(false, "an index page deeper than its root");
      if ((i >> page_depth) != 0) continue;
      if (take_page(slot, page, true)) check_index_page(page, i, entries);
    }
  }
  check(entries == keys_.size(),
        "the index has " + std::to_string(entries) + " keys, there are " + std::to_string(keys_.size()));
}

void Verifier::check_index_page(std::uint32_t page, std::uint32_t root_slot, std::uint64_t& entries) {
  const Word fill = segment_.line(page).fill;
  const Word mask = (Word{1} << (fill >> 32)) - 1;
  std::uint64_t used = 0;
  std::uint64_t tombstones = 0;
  const auto* table = reinterpret_cast<const IndexEntry*>(segment_.page(page));
  for (std::uint32_t i = 0; i < segment_.geometry().index_entries(); ++i) {
    const IndexEntry& entry = table[i];
    if (entry.hash == kHashTombstone) ++tombstones;
    if (entry.hash <= kHashTombstone) continue;
    ++used;
    check((entry.hash & mask) == root_slot, "an entry in the wrong index page");
    const auto match = std::find_if(keys_.begin(), keys_.end(), [&](const auto& item) {
      return item.second.newest == entry.newest && item.second.oldest == entry.oldest;
    });
    if (keys_.size() < 5000) {
      check(match != keys_.end() && make_live(match->second.events, match->second.bytes) == entry.live &&
                match->second.hash_low == static_cast<std::uint32_t>(entry.hash),
            "an index entry that is no key's");
    }
  }
  check(used == (fill & 0xffff) && tombstones == ((fill >> 16) & 0xffff), "an index page miscounted");
  entries += used;
}

void Verifier::check_pages() {
  where_ = "pages";
  const Word used = load_acquire(&segment_.header().state.slots_used);
  for (std::uint32_t page = 0; page < segment_.geometry().pages; ++page) {
    const Word word = load_acquire(&segment_.page_word(page));
    if (word == 0 || seen_[page] != 0) continue;
    // Given up after a commit that made a directory empty, and not marked free yet: harmless.
    if (page_owner(word) < used) {
      const Slot& shared = segment_.slot(page_owner(word));
      const Commit& c = shared.copies[shared.generation & 1];
      const bool index = page_role(word) == PageRole::index || page_role(word) == PageRole::root;
      if (c.state == kStateClosed || (index ? c.index_root : c.head) == 0) continue;
    }
    check(false, "page " + std::to_string(page) + " has an owner and is in no list");
  }
}

}  // namespace

void verify_image(Word* base, const Geometry& geometry, VerifyReport& report) {
  const Segment segment(base, geometry);
  for (std::uint32_t i = 0; i < geometry.worker_areas; ++i) {
    if (load_acquire(&segment.area(i).undo_count) != 0) report.pending = true;
  }
  if (const Result<RecoveryReport> rolled = roll_back(segment); !rolled) {
    report.errors.push_back(rolled.error().text);
  } else {
    Verifier(segment, report).run();
  }
  report.ok = report.errors.empty();
}

Result<VerifyReport> verify_file(const std::string& path, const Clocks* /*clocks*/) {
  const Result<Mapping> mapping = Mapping::open(path, false, sizeof(Header));
  if (!mapping) return mapping.error();
  const Word* live = mapping.value().words();
  const Result<Geometry> geometry = check_header(live, mapping.value().bytes(), kDataMagic);
  if (!geometry) return geometry.error().in(path);
  VerifyReport report;
  const auto generations = [&](const Word* base) {
    std::vector<Word> all;
    const Segment segment(const_cast<Word*>(base), geometry.value());
    for (std::uint32_t slot = 0; slot < geometry.value().slots; ++slot) {
      all.push_back(load_acquire(&segment.slot(slot).generation));
    }
    return all;
  };
  constexpr int kTries = 5;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    report = VerifyReport{};
    const std::vector<Word> before = generations(live);
    std::vector<Word> copy(mapping.value().bytes() / 8);
    copy_out(copy.data(), live, copy.size());
    const bool moved = generations(live) != before;
    verify_image(copy.data(), geometry.value(), report);
    if (report.ok || !moved) break;
    report.torn_copy = true;
  }
  return report;
}

}  // namespace mayfly::shm
