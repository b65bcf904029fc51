#include "shm/key_index.h"

#include <vector>

#include "shm/directory_inline.h"

namespace mayfly::shm {
namespace {

struct Fill {
  std::uint32_t used;
  std::uint32_t tombstones;
  std::uint32_t depth;
};
Fill unpack(Word fill) {
  return {static_cast<std::uint32_t>(fill & 0xffff), static_cast<std::uint32_t>((fill >> 16) & 0xffff),
          static_cast<std::uint32_t>(fill >> 32)};
}
Word pack(const Fill& fill) {
  return Word{fill.used} | (Word{fill.tombstones} << 16) | (Word{fill.depth} << 32);
}

}  // namespace

KeyIndex::KeyIndex(Directory& directory)
    : directory_(directory), entry_mask_(directory.segment().geometry().index_entries() - 1) {}

void KeyIndex::learn_root() const {
  seen_root_ = directory_.now.index_root;
  const std::uint32_t root = ref_page(seen_root_);
  if (root >= directory_.segment().geometry().pages) corrupt_page();
  page_mask_ = (Word{1} << depth()) - 1;
  only_page_ = root;
  pages_ = depth() == 0 ? &only_page_ : reinterpret_cast<const PageNumber*>(directory_.segment().page(root));
}

IndexEntry& KeyIndex::find_by_key(Ref ref, const RecordHeader& record) const {
  const Word low = record.tag & 0xffffffff;
  const auto named = [&](const IndexEntry& e) {
    return (e.hash & 0xffffffff) == low && e.hash > kHashTombstone;
  };
  IndexEntry* entry = probe(low, [&](const IndexEntry& e) { return named(e) && e.newest == ref; });
  if (entry != nullptr) return *entry;
  std::string scratch;
  const std::string_view key = directory_.record_key(ref, scratch);
  entry = probe(low, [&](const IndexEntry& e) {
    return named(e) && directory_.key_equals(directory_.record(e.newest), e.newest, key);
  });
  if (entry == nullptr) directory_.corrupt("a record's key is not in the index");
  return *entry;
}

void KeyIndex::corrupt_page() const { directory_.corrupt("an index page beyond the pages"); }

bool KeyIndex::has_room(Word hash) const {
  if (empty()) return false;
  const Geometry& geometry = directory_.segment().geometry();
  const Fill fill = unpack(directory_.segment().line(page_of(hash)).fill);
  const std::uint32_t n = geometry.index_entries();
  const std::uint32_t most = fill.depth >= geometry.max_depth() ? n - 2 : n * 3 / 4;
  return fill.used + fill.tombstones < most;
}

bool KeyIndex::ensure_room(WorkerState& worker, Word hash) {
  if (empty()) {
    const std::uint32_t page = directory_.claim_page(worker, PageRole::index);
    fill_page(page, 0, nullptr, [](Word) { return false; });
    directory_.now.index_root = directory_.segment().place(page, 0);
    return true;
  }
  const Geometry& geometry = directory_.segment().geometry();
  const Fill fill = unpack(directory_.segment().line(page_of(hash)).fill);
  const bool split = fill.used >= geometry.index_entries() / 2;
  if (split && fill.depth >= geometry.max_depth() && fill.tombstones == 0) return false;
  grow(worker, hash, split && fill.depth < geometry.max_depth());
  return true;
}

/// Fills a fresh page with those of `from`'s entries whose hash is kept. Nobody sees it before the commit.
template <class Keep>
void KeyIndex::fill_page(std::uint32_t page, std::uint32_t page_depth, const IndexEntry* from, Keep keep) {
  const Segment& segment = directory_.segment();
  const std::uint32_t n = segment.geometry().index_entries();
  std::vector<IndexEntry> table(n, IndexEntry{});
  Fill fill{0, 0, page_depth};
  for (std::uint32_t i = 0; from != nullptr && i < n; ++i) {
    if (from[i].hash <= kHashTombstone || !keep(from[i].hash)) continue;
    std::uint32_t at = first_probe(from[i].hash);
    while (table[at].hash != kHashEmpty) at = (at + 1) & (n - 1);
    table[at] = from[i];
    ++fill.used;
  }
  copy_in(segment.page(page), table.data(), n * sizeof(IndexEntry));
  store_release(&segment.line(page).fill, pack(fill));
}

/// Replaces the hash's page by one without tombstones, or by two; with a fresh root where there is one.
void KeyIndex::grow(WorkerState& worker, Word hash, bool split) {
  const Segment& segment = directory_.segment();
  const std::uint32_t old_depth = depth();
  const std::uint32_t old_root = ref_page(directory_.now.index_root);
  const std::uint32_t old_page = page_of(hash);
  const std::uint32_t page_depth = unpack(segment.line(old_page).fill).depth;
  if (page_depth > old_depth) directory_.corrupt("an index page deeper than its root");
  const Word bit = Word{1} << page_depth;
  const IndexEntry* from = entries(old_page);

  ++directory_.turnover.index_grown;
  const std::uint32_t low = directory_.claim_page(worker, PageRole::index);
  std::uint32_t high = low;
  if (split) {
    high = directory_.claim_page(worker, PageRole::index);
    fill_page(low, page_depth + 1, from, [bit](Word h) { return (h & bit) == 0; });
    fill_page(high, page_depth + 1, from, [bit](Word h) { return (h & bit) != 0; });
  } else {
    fill_page(low, page_depth, from, [](Word) { return true; });
  }
  const std::uint32_t fresh_depth = split && page_depth == old_depth ? old_depth + 1 : old_depth;
  if (fresh_depth == 0) {
    directory_.now.index_root = segment.place(low, 0);
  } else {
    std::vector<std::uint32_t> table(std::size_t{1} << fresh_depth);
    for (std::uint32_t i = 0; i < table.size(); ++i) {
      const std::uint32_t was = page_of(i & ((1u << old_depth) - 1));
      table[i] = was != old_page ? was : (i & bit) != 0 ? high : low;
    }
    const std::uint32_t root = directory_.claim_page(worker, PageRole::root);
    copy_in(segment.page(root), table.data(), table.size() * sizeof(std::uint32_t));
    directory_.now.index_root = segment.place(root, fresh_depth * 8);
    if (old_depth > 0) directory_.free_page(worker, old_root);
  }
  directory_.free_page(worker, old_page);
}

IndexEntry& KeyIndex::insert(WorkerState& worker, Word hash, Ref newest, Word live) {
  const std::uint32_t page = page_of(hash);
  IndexEntry* entry = nullptr;
  const std::uint32_t n = directory_.segment().geometry().index_entries();
  std::uint32_t i = first_probe(hash);
  for (std::uint32_t steps = 0; steps < n; ++steps, i = (i + 1) & (n - 1)) {
    if (entries(page)[i].hash <= kHashTombstone) {
      entry = &entries(page)[i];
      break;
    }
  }
  if (entry == nullptr) directory_.corrupt("an index page without room");
  Word& shared_fill = directory_.segment().line(page).fill;
  Fill fill = unpack(shared_fill);
  ++fill.used;
  if (entry->hash == kHashTombstone) --fill.tombstones;
  worker.txn.set(shared_fill, pack(fill));
  // All four are logged: within one transaction the place may have been another key's.
  worker.txn.set(entry->hash, hash);
  worker.txn.set(entry->newest, newest);
  worker.txn.set(entry->oldest, newest);
  worker.txn.set(entry->live, live);
  return *entry;
}

void KeyIndex::remove(WorkerState& worker, IndexEntry& entry) {
  Word& shared_fill = directory_.segment().line(page_of(entry.hash)).fill;
  Fill fill = unpack(shared_fill);
  --fill.used;
  ++fill.tombstones;
  worker.txn.set(shared_fill, pack(fill));
  worker.txn.set(entry.hash, kHashTombstone);
}

void KeyIndex::collect_pages(std::vector<std::uint32_t>& out) const {
  if (empty()) return;
  const std::uint32_t d = depth();
  if (d > 0) out.push_back(ref_page(directory_.now.index_root));
  for (std::uint32_t i = 0; i < 1u << d; ++i) {
    const std::uint32_t page = page_of(i);
    // A page of depth p stands in the root every 2^p slots: take it at its first one.
    const std::uint32_t page_depth = unpack(directory_.segment().line(page).fill).depth;
    if (page_depth > d) directory_.corrupt("an index page deeper than its root");
    if ((i >> page_depth) == 0) out.push_back(page);
  }
}

}  // namespace mayfly::shm
