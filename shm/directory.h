// One directory, as its writer sees it: judging, appending, evicting, committing, compacting.
//
// Thread safety: everything but the atomics at the end requires the directory's mutex. A call that
// changes records also requires an open transaction of the worker passed in.
//
// Invariants between two calls (docs/shm-format.md): place order in the page list is sequence
// order; a key's live records are linked oldest to newest; now.records, keys and bytes are those of
// the records whose death word is 0; stored = records + replaced + evicted.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shm/key_index.h"
#include "shm/quotas.h"
#include "shm/segment.h"
#include "shm/writer.h"

namespace mayfly::shm {

class Engine;

/// What one worker has in hand. Belongs to its thread.
class WorkerState {
 public:
  WorkerState(Engine& owner, std::uint32_t area);

  Engine& engine;
  const std::uint32_t index;
  Transaction txn;
  Directory* current = nullptr;      // of the open batch
  Now now;                           // of the open batch
  std::vector<char> scratch;         // a record of several pages, put together before it is copied in
  std::uint32_t batch_records = 0;   // since the last commit
  bool far = false;                  // what the batch touches is hardly in the caches
  std::vector<std::uint32_t> stash;  // pages taken from the pool, not used yet
  std::vector<std::uint32_t> freed;  // pages to retire at the commit
};

class Directory {
 public:
  Directory(Engine& engine, std::uint32_t slot_index);

  // --- life ---
  /// Reads the slot at attach. False if its commit makes no sense.
  bool load();
  bool is_open() const { return now.state == kStateOpen; }
  /// Begins a transaction for the next generation.
  void begin(WorkerState& worker);
  /// Publishes what was done, and retires what was freed.
  void commit(WorkerState& worker);
  /// commit() and begin(): what is done so far is whole and may be seen.
  void checkpoint(WorkerState& worker);
  /// Frees empty pages and merges sparse ones; transactions of its own, after a commit.
  void maintain(WorkerState& worker);

  // --- records ---
  std::optional<DropCause> judge_lengths(std::uint64_t key_bytes, std::uint64_t value_bytes) const;
  Word key_hash(std::string_view key) const;
  /// key_hash(), and fetches what append() will read first into the cache.
  Word prepare(std::string_view key) const;
  /// Shortly before append(): fetches what it will read then.
  void approach(Word hash) const;
  /// Stores one record, as now.next_seq and at now.last_time_ns then; or says why not, and counts that.
  std::optional<DropCause> append(WorkerState& worker, std::string_view key, Word hash,
                                  std::string_view value);
  bool unset(WorkerState& worker, std::string_view key);
  void count_drop(DropCause cause) { ++now.dropped[static_cast<std::size_t>(cause)]; }

  // --- evictions ---
  /// True when the oldest record is due: looks before a transaction is worth while.
  bool any_due(Now at);
  /// Evicts what is due; at most `limit` records. True when more is due.
  bool evict_due(WorkerState& worker, std::uint64_t limit);
  /// Evicts the records of the oldest page. False when there are none.
  bool evict_oldest_page(WorkerState& worker);
  /// Makes the quotas hold, then puts them in force with the commit.
  void apply_quotas(WorkerState& worker, const DirectorySpec& spec);
  /// Makes the directory empty and closed, in one commit; frees its pages.
  void close(WorkerState& worker);
  /// Opens the slot for a new directory.
  void open(WorkerState& worker, const DirectorySpec& spec, std::uint64_t incarnation);

  Quotas quotas() const;
  /// The cold words that say where its rule came from.
  void set_rule(const DirectorySpec& spec);

  const std::uint32_t slot;
  std::string name;  // guarded by mutex
  Commit now{};      // the state to be committed next
  Word generation = 0;
  std::mutex mutex;
  // Readable by any thread, as hints for fair shares:
  std::atomic<std::uint64_t> pages{0};  // records' and index's
  std::atomic<std::uint64_t> reserve_pages{0};
  std::atomic<bool> listed{false};  // open

  /// What happened to pages since this object was made; for tests and tuning. Guarded by the mutex.
  struct Turnover {
    std::uint64_t opened = 0;
    std::uint64_t merged = 0;
    std::uint64_t freed = 0;
    std::uint64_t index_grown = 0;
  };
  Turnover turnover;

  // Hints, without the mutex: what a batch will touch of this object, then what that points to. What
  // is read meanwhile may be changing; it is only used as an address to fetch from.
  void prefetch() const;
  void prefetch_places() const;

  // At attach, for each page that the slot owns.
  void adopt_page(std::uint32_t page, Word page_word);

 private:
  friend class KeyIndex;
  struct Key;

  // directory.cpp
  const Segment& segment() const { return segment_; }
  [[noreturn]] void corrupt(const char* what) const;
  [[noreturn, gnu::cold]] void corrupt_place() const;
  void fill_copy(Commit& copy);
  void ensure_undo(WorkerState& worker, std::uint32_t changes);
  void make_undo_room(WorkerState& worker, std::uint32_t changes);
  /// The header at a place; the place is checked, not the stamp: the writer knows what is its own.
  MAYFLY_HOT RecordHeader& record(Ref ref) const {
    char* const address = segment_.address_of(ref, kRecordHeaderBytes);
    if (address == nullptr) [[unlikely]]
      corrupt_place();
    return *reinterpret_cast<RecordHeader*>(address);
  }
  std::string_view record_key(Ref ref, std::string& scratch) const;
  bool key_equals(const RecordHeader& header, Ref ref, std::string_view key) const;
  bool run_key_equals(Ref ref, std::string_view key) const;
  bool due(const RecordHeader& header, std::uint64_t boot_ns) const;

  // directory_append.cpp
  DropCause drop(DropCause cause);
  bool make_room(WorkerState& worker, Key& key, std::uint64_t size);
  bool reserve_room(WorkerState& worker, Key& key, std::uint64_t size);
  void evict_for(WorkerState& worker, Key& key, std::uint64_t value_bytes);
  void evict_keys(WorkerState& worker, Key& key);
  void evict_within_key(WorkerState& worker, Key& key, std::uint64_t size);
  void evict_total(WorkerState& worker, Key& key, std::uint64_t size, Ref own, std::uint64_t own_bytes);
  void write_record(WorkerState& worker, const Key& key, std::string_view value);
  void enter_record(WorkerState& worker, const Key& key, Ref at, std::uint64_t counted);
  void stamp_times(const Now& at);
  // directory_evict.cpp
  void kill(WorkerState& worker, Ref ref, EvictCause cause);
  void kill_inline(WorkerState& worker, Ref ref, RecordHeader& header, EvictCause cause);
  void bury(WorkerState& worker, Ref ref, RecordHeader& header);
  void unlink_rare(WorkerState& worker, Ref ref, const RecordHeader& header, IndexEntry& entry);
  void kill_key(WorkerState& worker, Ref newest, EvictCause cause);
  void evict_quietest_key(WorkerState& worker, EvictCause cause);
  Ref quietest_key();
  void enforce_lengths(WorkerState& worker, const Quotas& quotas);
  void enforce_per_key(WorkerState& worker, const Quotas& quotas);

  // directory_pages.cpp
  void settle_tail();
  RecordHeader* settle_tail_inline();
  void fetch_next_victim() const;
  void find_tail();
  void step_tail();
  bool at_end(Ref place) const { return place == now.head; }
  /// Where the records of a page of the list end, whatever its role.
  std::uint32_t end_of(std::uint32_t page) const {
    return page == ref_page(now.head) ? ref_offset(now.head)
                                      : static_cast<std::uint32_t>(load_relaxed(&segment_.line(page).fill));
  }
  Ref normalise(Ref place) const;
  Ref after(Ref place) const;
  Ref after_inline(Ref place) const;
  Ref behind(Ref place, const RecordHeader& header) const;
  std::uint32_t pages_for(std::uint64_t size) const;
  void measure_head_room();
  Ref place_in_pages(WorkerState& worker, std::uint64_t size);
  Ref place_behind_head(std::uint64_t size) {
    const Ref at = now.head;
    now.head += size / 8;
    head_room_ -= static_cast<std::uint32_t>(size);
    return at;
  }
  std::uint32_t open_page(WorkerState& worker, PageRole role, std::uint32_t fill);
  std::uint32_t claim_page(WorkerState& worker, PageRole role);
  void note_sealed(std::uint32_t page);
  /// Live bytes of pages change with every record: gathered for one page each, written by write_live().
  struct LiveChange {
    std::uint32_t page = kMaxPages;
    std::uint64_t bytes = 0;
  };
  MAYFLY_HOT void add_live(WorkerState& worker, std::uint32_t page, std::uint64_t bytes) {
    if (added_.page != page) [[unlikely]] {
      write_live(worker);
      added_.page = page;
    }
    added_.bytes += bytes;
    live_physical_ += bytes;
  }
  MAYFLY_HOT void remove_live(WorkerState& worker, std::uint32_t page, std::uint64_t bytes) {
    if (removed_.page != page) {
      if (added_.page == removed_.page) [[unlikely]]
        write_live(worker);
      write_removed(worker);
      removed_.page = page;
    }
    removed_.bytes += bytes;
    live_physical_ -= bytes;
  }
  void write_live(WorkerState& worker);
  void write_removed(WorkerState& worker);
  Word change_live(WorkerState& worker, std::uint32_t page, std::uint64_t added, std::uint64_t removed);
  void free_page(WorkerState& worker, std::uint32_t page);
  void write_run(WorkerState& worker, Ref at, const RecordHeader& header, std::string_view key,
                 std::string_view value);

  // compaction.cpp
  void free_emptied(WorkerState& worker);
  void free_all(WorkerState& worker);
  void unlink_pages(WorkerState& worker, std::uint32_t first, std::uint32_t last);
  std::uint32_t last_of_run(std::uint32_t first) const;
  bool sparse() const;
  void sweep(WorkerState& worker);
  bool mergeable(std::uint32_t page, std::uint32_t next) const;
  std::uint32_t merge(WorkerState& worker, std::uint32_t page, std::uint32_t next);
  std::uint32_t move_records(WorkerState& worker, std::uint32_t from, std::uint32_t to, std::uint32_t fill);
  void relink_moved(WorkerState& worker, Ref from, Ref to);
  void forget_page(std::uint32_t page);

  Engine& engine_;
  const Segment& segment_;
  KeyIndex index_;
  void know_limits();

  std::uint64_t max_pair_bytes_ = 0;  // key and value together, by quotas and by the engine
  // A record that stays below both passes judge_lengths().
  std::uint64_t plain_key_limit_ = 0;
  std::uint64_t plain_value_limit_ = 0;
  const Word hash_seed_;
  std::uint32_t cold_dirty_ = 2;  // commits that must still write the cold words
  /// Where now.tail is, while tail_.ref says that this is it.
  struct Tail {
    Ref ref = 0;
    RecordHeader* at = nullptr;
    const char* end = nullptr;  // of the page's records; before `at` where it is not known for sure
  } tail_;
  std::uint32_t head_room_ = 0;  // bytes that a record may have and still fit behind the head
  LiveChange added_;
  LiveChange removed_;
  std::uint64_t live_physical_ = 0;  // bytes of live records with their headers
  std::uint32_t record_pages_ = 0;
  std::vector<std::uint32_t> emptied_;    // sealed pages without live records, to be freed
  std::uint32_t sweep_page_ = kMaxPages;  // where the search for sparse neighbours goes on
  std::uint32_t appended_pages_ = 0;      // since the last maintenance
};

}  // namespace mayfly::shm
