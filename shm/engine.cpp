#include "shm/engine.h"

#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "shm/segment_file.h"

namespace mayfly::shm {
namespace {

// How long a record waits for the pages of a directory whose lock is held: 2 ms at most.
constexpr std::uint32_t kYields = 20;
constexpr std::uint32_t kPatience = 60;
constexpr std::chrono::microseconds kNap{50};

}  // namespace

Engine::Engine(Word* base, const Geometry& geometry, std::uint32_t quarantine, const Clocks& clock_source)
    : segment(base, geometry),
      clocks(clock_source),
      pool(geometry.pages, std::min(quarantine, geometry.pages / 8)),
      page_touched(geometry.pages, 0),
      usable_pages_(geometry.pages - pool.quarantine()) {
  directories.reserve(geometry.slots);
  for (std::uint32_t i = 0; i < geometry.slots; ++i) directories.push_back(nullptr);
  for (std::uint32_t i = 0; i < geometry.worker_areas; ++i) {
    workers.push_back(std::make_unique<WorkerState>(*this, i));
  }
}

Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::attach(Word* base, const Geometry& geometry, std::uint32_t quarantine,
                                               const Clocks& clocks) {
  std::unique_ptr<Engine> engine(new Engine(base, geometry, quarantine, clocks));
  const Result<RecoveryReport> recovered = roll_back(engine->segment);
  if (!recovered) return recovered.error();
  engine->recovery = recovered.value();
  if (Status loaded = engine->load(); !loaded) return loaded.error();
  return engine;
}

Status Engine::load() {
  HeaderState& state = segment.header().state;
  const Word used = load_acquire(&state.slots_used);
  if (used > segment.geometry().slots) return Error{Errc::corrupt, "more directories in use than there are"};
  for (std::uint32_t slot = 0; slot < used; ++slot) {
    auto directory = std::make_unique<Directory>(*this, slot);
    if (!directory->load()) {
      return Error{Errc::corrupt, "directory slot " + std::to_string(slot) + " makes no sense"};
    }
    if (directory->is_open()) {
      note_reserve(*directory, directory->now.reserve_bytes);
      directory->listed = true;
      ++open_directories_;
    }
    directories[slot] = std::move(directory);
  }
  adopt_pages();
  store_release(&state.clean_stop, 0);
  store_release(&state.epoch, load_relaxed(&state.epoch) + 1);
  return {};
}

/// Pages that no committed state refers to are free, whatever their word says: a directory that
/// was emptied or closed gives its pages up after the commit.
void Engine::adopt_pages() {
  const Geometry& geometry = segment.geometry();
  std::vector<std::uint32_t> free;
  free.reserve(geometry.pages);
  for (std::uint32_t page = geometry.pages; page-- > 0;) {
    const Word word = load_acquire(&segment.page_word(page));
    const std::uint32_t owner = page_owner(word);
    if (word != 0 && owner < directories.size() && directories[owner] != nullptr) {
      Directory& directory = *directories[owner];
      const PageRole role = page_role(word);
      const bool index = role == PageRole::index || role == PageRole::root;
      if (directory.is_open() && (index ? directory.now.index_root : directory.now.head) != 0) {
        directory.adopt_page(page, word);
        continue;
      }
    }
    if (word != 0) store_release(&segment.page_word(page), 0);
    free.push_back(page);
  }
  pool.adopt_free(free);
}

Result<DirectoryId> Engine::open_directory(WorkerState& worker, const DirectorySpec& spec) {
  const std::lock_guard table(table_mutex_);
  if (!valid_directory_name(spec.name) || spec.kind == Kind::none) {
    return Error{Errc::invalid, "'" + spec.name + "' is no name for a directory"};
  }
  HeaderState& state = segment.header().state;
  const auto used = static_cast<std::uint32_t>(load_relaxed(&state.slots_used));
  std::uint32_t slot = used;
  for (std::uint32_t i = used; i-- > 0;) {
    const bool open = directories[i]->listed.load(std::memory_order_acquire);
    if (!open) slot = i;
    if (open && directories[i]->name == spec.name &&
        directories[i]->now.kind == static_cast<Word>(spec.kind)) {
      return Error{Errc::busy, spec.name + " is open already"};
    }
  }
  if (slot >= segment.geometry().slots) return Error{Errc::no_space, "no slot is left for " + spec.name};
  if (slot == used) {
    directories[slot] = std::make_unique<Directory>(*this, slot);
    store_release(&state.slots_used, used + 1);
  }
  const Word incarnation = load_relaxed(&state.next_incarnation);
  store_release(&state.next_incarnation, incarnation + 1);
  Directory& directory = *directories[slot];
  const std::lock_guard lock(directory.mutex);
  directory.begin(worker);
  directory.open(worker, spec, incarnation);
  directory.commit(worker);
  ++open_directories_;
  return slot;
}

bool Engine::with_directory(WorkerState& worker, DirectoryId id,
                            const std::function<void(Directory&)>& body) {
  if (id >= slots_used()) return false;
  Directory& directory = *directories[id];
  const std::lock_guard lock(directory.mutex);
  if (!directory.is_open()) return false;
  directory.begin(worker);
  body(directory);
  directory.commit(worker);
  directory.maintain(worker);
  pool.give_back(worker.stash);
  return true;
}

bool Engine::close_directory(WorkerState& worker, DirectoryId id, bool only_if_empty) {
  const std::lock_guard table(table_mutex_);
  if (id >= slots_used()) return false;
  Directory& directory = *directories[id];
  const std::lock_guard lock(directory.mutex);
  if (!directory.is_open() || (only_if_empty && directory.now.records > 0)) return false;
  directory.begin(worker);
  directory.close(worker);
  --open_directories_;
  return true;
}

void Engine::note_reserve(Directory& directory, std::uint64_t reserve_bytes) {
  const std::uint64_t page_bytes = segment.geometry().page_bytes;
  const std::uint64_t wanted = reserve_bytes / page_bytes + (reserve_bytes % page_bytes != 0 ? 1 : 0);
  const std::uint64_t fresh = std::min<std::uint64_t>(wanted, segment.geometry().pages);
  const std::uint64_t before = directory.reserve_pages.exchange(fresh);
  reserved_pages_ += fresh - before;
}

std::uint64_t Engine::fair_share(const Directory& directory) const {
  const std::uint64_t reserved = reserved_pages_.load(std::memory_order_relaxed);
  const std::uint64_t common = usable_pages_ > reserved ? usable_pages_ - reserved : 0;
  const std::uint64_t open = std::max<std::uint64_t>(open_directories_.load(std::memory_order_relaxed), 1);
  return directory.reserve_pages.load(std::memory_order_relaxed) + common / open;
}

/// Pages that `directory` holds beyond its fair share; the one that asks is judged with `n` more.
std::uint64_t Engine::excess_of(const Directory& directory, const Directory& asking, std::uint32_t n) const {
  const std::uint64_t held =
      directory.pages.load(std::memory_order_relaxed) + (&directory == &asking ? n : 0);
  const std::uint64_t share = fair_share(directory);
  return held > share ? held - share : 0;
}

/// The directory furthest above its fair share, among those less far above it than already tried.
Directory* Engine::pick_victim(const Directory& asking, std::uint32_t n, std::uint64_t less_than_excess,
                               std::uint64_t& excess) {
  Directory* victim = nullptr;
  excess = 0;
  const Word used = slots_used();
  for (std::uint32_t slot = 0; slot < used; ++slot) {
    Directory* directory = directories[slot].get();
    if (directory == nullptr || !directory->listed.load(std::memory_order_relaxed)) continue;
    const std::uint64_t its = excess_of(*directory, asking, n);
    if (its > excess && its < less_than_excess) {
      excess = its;
      victim = directory;
    }
  }
  return victim;
}

/// Whether n pages can come together at all: where reserves promise more than there is, what others
/// hold beyond their shares may not be enough, and then nothing may be evicted for the record.
bool Engine::could_free(const Directory& asking, std::uint32_t n) const {
  std::uint64_t held_by_all = 0;
  std::uint64_t evictable = 0;
  const Word used = slots_used();
  for (std::uint32_t slot = 0; slot < used; ++slot) {
    const Directory& directory = *directories[slot];
    const std::uint64_t held = directory.pages.load(std::memory_order_relaxed);
    held_by_all += held;
    evictable += std::min(held, excess_of(directory, asking, n));
  }
  // Not held by a directory: free, or in the hands of a worker that is about to use or free it.
  const std::uint64_t not_held = usable_pages_ - std::min(usable_pages_, held_by_all);
  return not_held + evictable >= n;
}

Engine::Gave Engine::evict_from(WorkerState& worker, Directory& asking, Directory& victim) {
  if (&victim == &asking) {
    const bool any = asking.evict_oldest_page(worker);
    asking.commit(worker);
    asking.maintain(worker);
    asking.begin(worker);
    return any ? Gave::pages : Gave::nothing;
  }
  // Never wait for a second directory: its holder may be waiting for this one.
  const std::unique_lock lock(victim.mutex, std::try_to_lock);
  if (!lock.owns_lock()) return Gave::busy;
  if (!victim.is_open()) return Gave::nothing;
  asking.commit(worker);
  victim.begin(worker);
  const bool any = victim.evict_oldest_page(worker);
  victim.commit(worker);
  victim.maintain(worker);
  asking.begin(worker);
  return any ? Gave::pages : Gave::nothing;
}

/// True when the directory is above its share while others wait for pages: it leaves them theirs
/// and lives on its own oldest.
bool Engine::must_leave(const Directory& directory, std::uint32_t n) const {
  const std::uint64_t waiting = pages_waited_for_.load(std::memory_order_relaxed);
  return waiting > 0 && pool.available() < n + waiting && excess_of(directory, directory, 0) > 0;
}

bool Engine::reserve_pages(WorkerState& worker, Directory& directory, std::uint32_t n) {
  std::uint64_t tried_down_to = ~0ull;
  std::uint32_t patience = 0;  // 0: did not wait yet
  bool busy = false;
  bool got = false;
  for (std::uint32_t steps = 2 * segment.geometry().pages; steps > 0; --steps) {
    const auto have = static_cast<std::uint32_t>(worker.stash.size());
    got = have >= n || (!must_leave(directory, n - have) && pool.take(n - have, worker.stash));
    if (got) break;
    if (steps == 2 * segment.geometry().pages && !could_free(directory, n)) break;
    std::uint64_t excess = 0;
    if (Directory* victim = pick_victim(directory, n, tried_down_to, excess)) {
      // A victim that is busy, or has nothing to give, is passed over until another gave something.
      const Gave gave = evict_from(worker, directory, *victim);
      tried_down_to = gave == Gave::pages ? ~0ull : excess;
      busy = busy || gave == Gave::busy;
      continue;
    }
    // Whoever is busy and above its share comes by soon, and leaves what is waited for.
    if (!busy || ++patience > kPatience) break;
    if (patience == 1) pages_waited_for_ += n;
    if (patience > kYields) {
      std::this_thread::sleep_for(kNap);
    } else {
      std::this_thread::yield();
    }
    tried_down_to = ~0ull;
    busy = false;
  }
  if (patience > 0) pages_waited_for_ -= n;
  return got;
}

void Engine::corrupt(const std::string& what) {
  store_release(&segment.header().state.poisoned, 1);
  if (corruption_handler) corruption_handler(what);
  std::fprintf(stderr, "mayfly: the data segment contradicts itself: %s\n", what.c_str());
  std::abort();
}

void Engine::say_goodbye() { store_release(&segment.header().state.clean_stop, 1); }

}  // namespace mayfly::shm
