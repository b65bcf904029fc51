// The validator's second half: the key index of a directory, and pages that nobody has.
#include <algorithm>

#include "shm/verifier.h"

namespace mayfly::shm {

void Verifier::check_index(std::uint32_t slot, const Commit& c) {
  for (const auto& [key, count] : keys_) by_hash_.emplace(count.hash_low, &count);
  if (c.index_root == 0) return check(keys_.empty(), "keys without an index");
  const std::uint32_t depth = ref_offset(c.index_root) / 8;
  const std::uint32_t root = ref_page(c.index_root);
  if (!page_ok(c.index_root) || depth > segment_.geometry().max_depth())
    return error("the index has no root");
  if (!take_page(slot, root, true)) return;
  if (depth == 0) check_index_page(root, 0);
  const auto page_at = [&](std::uint32_t i) {
    const Word pair = segment_.page(root)[i / 2];
    return static_cast<std::uint32_t>(i % 2 == 0 ? pair & 0xffffffff : pair >> 32);
  };
  Word deepest = 0;
  for (std::uint32_t i = 0; depth > 0 && i < 1u << depth; ++i) {
    const std::uint32_t page = page_at(i);
    if (page >= segment_.geometry().pages) return error("an index page beyond the pages");
    const Word page_depth = segment_.line(page).fill >> 32;
    if (page_depth > depth) return error("an index page deeper than its root");
    deepest = std::max(deepest, page_depth);
    check(page_at(i & ((1u << page_depth) - 1)) == page, "the index's root contradicts itself");
    if ((i >> page_depth) == 0 && take_page(slot, page, true)) check_index_page(page, i);
  }
  check(deepest == depth, "the index's root is deeper than its pages");
  check_total("keys in the index", entries_, keys_.size());
}

void Verifier::check_index_page(std::uint32_t page, std::uint32_t root_slot) {
  const Word fill = segment_.line(page).fill;
  const Word depth = fill >> 32;
  if (depth > segment_.geometry().max_depth()) return error("an index page deeper than any");
  const Word mask = (Word{1} << depth) - 1;
  std::uint64_t used = 0;
  std::uint64_t tombstones = 0;
  const auto* table = reinterpret_cast<const IndexEntry*>(segment_.page(page));
  for (std::uint32_t i = 0; i < segment_.geometry().index_entries(); ++i) {
    const IndexEntry& entry = table[i];
    if (entry.hash == kHashTombstone) {
      ++tombstones;
      newer_signs_ += removed_entry(entry) ? 1 : 0;
    }
    if (entry.hash <= kHashTombstone) continue;
    ++used;
    check((entry.hash & mask) == (root_slot & mask), "an entry in the wrong index page");
    check_entry(entry);
  }
  check(used == (fill & 0xffff) && tombstones == ((fill >> 16) & 0xffff), "an index page miscounted");
  entries_ += used;
}

/// Every entry is the one of a key that lives.
void Verifier::check_entry(const IndexEntry& entry) {
  static const KeyCount kNone;
  const auto [begin, end] = by_hash_.equal_range(static_cast<std::uint32_t>(entry.hash));
  bool newer = begin == end && newer_entry(entry, kNone);
  for (auto at = begin; at != end; ++at) {
    const KeyCount& key = *at->second;
    if (key.places.back().ref == entry.newest && key.places.front().ref == entry.oldest &&
        make_live(key.places.size(), key.bytes) == entry.live) {
      return;
    }
    newer = newer || newer_entry(entry, key);
    note_move(entry.newest, key.places.back().ref);
    note_move(entry.oldest, key.places.front().ref);
  }
  newer_signs_ += newer ? 1 : 0;
  error("an index entry that is no key's");
}

void Verifier::check_pages() {
  where_ = "pages";
  const Word used = segment_.header().state.slots_used;
  for (std::uint32_t page = 0; page < segment_.geometry().pages; ++page) {
    const Word word = segment_.page_word(page);
    if (word == 0 || seen_[page] != 0) continue;
    // Given up after a commit that made a directory empty, and not marked free yet: harmless.
    if (page_owner(word) < used) {
      const Slot& shared = segment_.slot(page_owner(word));
      const Commit& c = shared.copies[shared.generation & 1];
      const bool index = page_role(word) == PageRole::index || page_role(word) == PageRole::root;
      const bool given_up =
          c.state == kStateClosed || (index ? c.index_root == 0 : c.head == 0 && page_live(word) == 0);
      newer_signs_ += newer_page(page, word) || unlinked_page(page) ? 1 : 0;
      if (given_up) continue;
    }
    check_page(false, page, "has an owner and is in no list");
  }
}

}  // namespace mayfly::shm
