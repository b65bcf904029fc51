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
  Verdict append(WorkerState& worker, std::string_view key, std::string_view value);
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

  // At attach, for each page that the slot owns.
  void adopt_page(std::uint32_t page, Word page_word);

 private:
  friend class KeyIndex;
  struct Key;

  // directory.cpp
  const Segment& segment() const { return segment_; }
  [[noreturn]] void corrupt(const char* what) const;
  void fill_copy(Commit& copy);
  void ensure_undo(WorkerState& worker, std::uint32_t changes);
  /// The header at a place; the place is checked, not the stamp: the writer knows what is its own.
  RecordHeader& record(Ref ref) const {
    const Geometry& geometry = segment_.geometry();
    const std::uint32_t page = ref_page(ref);
    const std::uint32_t offset = ref_offset(ref);
    if (page >= geometry.pages || offset + kRecordHeaderBytes > geometry.page_bytes) {
      corrupt("a place beyond the pages");
    }
    return *reinterpret_cast<RecordHeader*>(segment_.page(page) + offset / 8);
  }
  std::string_view record_key(Ref ref, std::string& scratch) const;
  Word key_hash(std::string_view key) const;
  bool key_equals(Ref ref, std::string_view key) const;
  bool due(const RecordHeader& header, std::uint64_t boot_ns) const;

  // directory_append.cpp
  bool make_room(WorkerState& worker, Key& key, std::uint64_t size);
  void evict_for(WorkerState& worker, Key& key, std::uint64_t value_bytes);
  void write_record(WorkerState& worker, Key& key, std::string_view value, Verdict& verdict);
  void stamp_times(WorkerState& worker, RecordHeader& header);

  // directory_evict.cpp
  void kill(WorkerState& worker, Ref ref, EvictCause cause);
  void kill_replaced(WorkerState& worker, IndexEntry& entry);
  void bury(WorkerState& worker, Ref ref, RecordHeader& header);
  void unlink_record(WorkerState& worker, Ref ref, const RecordHeader& header, IndexEntry& entry);
  void kill_key(WorkerState& worker, Ref newest, EvictCause cause);
  void evict_quietest_key(WorkerState& worker, EvictCause cause);
  Ref quietest_key();
  void enforce_lengths(WorkerState& worker, const Quotas& quotas);
  void enforce_per_key(WorkerState& worker, const Quotas& quotas);

  // directory_pages.cpp
  void settle_tail();
  bool at_end(Ref place) const { return place == now.head; }
  Ref normalise(Ref place) const;
  Ref after(Ref place) const;
  Ref behind(Ref place, const RecordHeader& header) const;
  std::uint32_t pages_for(std::uint64_t size) const;
  Ref place_record(WorkerState& worker, std::uint64_t size);
  std::uint32_t open_page(WorkerState& worker, PageRole role, std::uint32_t fill);
  std::uint32_t claim_page(WorkerState& worker, PageRole role);
  void note_sealed(std::uint32_t page);
  void add_live(WorkerState& worker, std::uint32_t page, std::int64_t bytes);
  void free_page(WorkerState& worker, std::uint32_t page);
  void write_bytes(WorkerState& worker, Ref at, const RecordHeader& header, std::string_view key,
                   std::string_view value);
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
  std::uint32_t cold_dirty_ = 2;      // commits that must still write the cold words
  std::uint64_t live_physical_ = 0;   // bytes of live records with their headers
  std::uint32_t record_pages_ = 0;
  std::vector<std::uint32_t> emptied_;    // sealed pages without live records, to be freed
  std::uint32_t sweep_page_ = kMaxPages;  // where the search for sparse neighbours goes on
  std::uint32_t appended_pages_ = 0;      // since the last maintenance
};

}  // namespace mayfly::shm
