// The one writer of a data segment: directories, records, quotas, eviction, recovery.
//
// Thread safety: a Writer is shared by its worker threads. Each thread uses its own Worker, and
// only it. Everything else on Writer may be called from any thread unless its comment says
// otherwise. Locks are process-local, one per directory; none lives in the segment.
//
// Durability: what a Worker's commit() has returned for survives kill -9 of this process at any
// instruction. What was not committed is gone, whole records at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shm/clock.h"
#include "shm/quotas.h"
#include "shm/result.h"

namespace mayfly::shm {

class Engine;
class WorkerState;

struct WriterOptions {
  std::string path;                     // of the segment file; its lock file is path + ".lock"
  std::uint64_t bytes = 256 << 20;      // whole file, for a new segment; an existing one keeps its size
  std::uint32_t workers = 1;            // 1..kMaxWorkers
  std::uint32_t page_bytes = 16384;     // for a new segment: a power of two, 1024..16384
  std::uint32_t quarantine_pages = 32;  // retired pages that wait before reuse (capped by the segment's size)
  std::chrono::milliseconds lock_wait{5000};  // for another writer to go away
  bool require_memory_backed = true;          // refuse a file system on a disk
  unsigned file_mode = 0640;
  std::optional<unsigned> file_group;  // gid; unset: the process's
  const Clocks* clocks = nullptr;      // unset: system_clocks()
};

inline constexpr std::uint32_t kMaxWorkers = 16;
/// A batch is committed at the latest after so many records: it bounds recovery (engine facts, D).
inline constexpr std::uint32_t kMaxBatchRecords = 128;

/// What open() found. For the log, the ready line and tests.
struct OpenReport {
  bool created = false;   // no usable segment was there
  std::string set_aside;  // path of an unusable predecessor, moved out of the way; empty: none
  std::string set_aside_reason;
  bool clean_stop = false;        // the predecessor had said goodbye
  std::uint32_t rolled_back = 0;  // transactions undone
  std::uint64_t undone_words = 0;
  std::uint64_t epoch = 0;     // +1 per open
  std::uint64_t instance = 0;  // random, of the segment's birth
  std::uint64_t bytes = 0;
  bool size_differs = false;  // the segment there keeps a size other than asked for
};

/// Index of a directory in the segment. Stable while the directory is open.
using DirectoryId = std::uint32_t;

/// What a quota rule gives a directory. `rule_birth` and `control_instance` let a later start
/// recognise that the rule was removed and added again in between (docs/quota-protocol.md).
struct DirectorySpec {
  Kind kind = Kind::log;
  std::string name;
  Quotas quotas;
  std::uint64_t control_instance = 0;
  std::uint64_t rule_birth = 0;
  std::uint64_t rule_hash = 0;  // of the rule's own name or pattern
};

/// Where an open directory stands, for the program's own book-keeping.
struct OpenDirectory {
  DirectoryId id;
  DirectorySpec spec;
  std::uint64_t incarnation;
  std::uint64_t records;
  std::uint64_t last_boot_ns;  // of its last record, or of its opening
};

/// The fate of one record.
struct Verdict {
  bool stored = false;
  DropCause cause = DropCause::stopped;  // meaningful when not stored
  std::uint64_t seq = 0;                 // meaningful when stored
  std::uint64_t time_ns = 0;             // wall clock; meaningful when stored

  static Verdict dropped(DropCause cause) { return {false, cause, 0, 0}; }
};

/// The clock readings of one batch: read once per socket read, not per record.
struct Now {
  std::uint64_t wall_ns = 0;
  std::uint64_t boot_ns = 0;
};

/// One writing thread's hand on the segment.
///
/// A batch: begin(directory) .. append/unset/count_drop .. commit(). Between begin and commit the
/// directory's lock is held, so keep batches short and hold one at a time. append() commits by
/// itself where the batch grows over kMaxBatchRecords. Nothing is visible before its commit.
class Worker {
 public:
  explicit Worker(WorkerState& state) : state_(&state) {}

  /// Locks the directory. False when it is not open any more (removed): nothing is locked then.
  bool begin(DirectoryId id, Now now);
  /// Judges and stores one record (log: appends; status: replaces).
  Verdict append(std::string_view key, std::string_view value);
  /// append() for many records: `hash` is hash(key), or prepare(key). Nothing when it is stored.
  std::optional<DropCause> put(std::string_view key, std::uint64_t hash, std::string_view value);
  std::uint64_t hash(std::string_view key) const;
  /// True when the directory is larger than a processor's caches, so that it is worth while to
  /// prepare() all records and, a few records ahead of its put(), approach() each. Both only fetch
  /// what the put() will read. `many`: the caller has batches for many directories at hand.
  bool reaches_far(bool many);
  std::uint64_t prepare(std::string_view key) const;
  void approach(std::uint64_t hash) const;
  /// Where the last record stored went, within its directory's batch.
  Verdict last_stored() const;
  /// Removes a status key (log: the whole key). False when the key is not there.
  bool unset(std::string_view key);
  /// Counts a record that was dropped before it could be handed over (a value skipped unread).
  void count_drop(DropCause cause);
  /// Judges a record by its lengths alone, for values that are too long to be buffered: the cause
  /// that append() would give, or nothing if only append() can tell. Does not count.
  std::optional<DropCause> judge_lengths(std::uint64_t key_bytes, std::uint64_t value_bytes) const;
  /// Publishes the batch and unlocks; then frees and compacts, bounded by what the batch wrote.
  void commit();

  /// For whoever has batches for many directories at hand: announce() each two batches before its
  /// begin(), expect() one batch before. Both only fetch what is going to be read, and lock nothing.
  void announce(DirectoryId id) const;
  void expect(DirectoryId id) const;

  /// Counts a drop that belongs to no directory. No batch needed; visible at once.
  void count_unattributed(DropCause cause, std::uint64_t n = 1);
  /// Tells readers that this worker is alive; call about once a second from its loop.
  void heartbeat(std::uint64_t connections);
  /// Adds connections that were refused at a limit, and silent ones that were closed for others.
  void count_connections(std::uint64_t refused, std::uint64_t closed);

 private:
  friend class Writer;
  WorkerState* state_;
};

class Writer {
 public:
  /// Locks, then resumes the segment at `path`, or creates one. An unusable file is moved aside,
  /// never deleted. Errors: busy, not_memory_backed, untrusted, no_space, invalid, io.
  static Result<std::unique_ptr<Writer>> open(const WriterOptions& options);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  const OpenReport& report() const;
  /// Index 0..workers-1. Each Worker belongs to one thread at a time.
  Worker worker(std::uint32_t index);

  // --- directories; any thread that owns `worker`, no batch open on it ---
  std::vector<OpenDirectory> directories() const;
  /// Log and status are two spaces of names.
  /// Errors: invalid (name, kind none), busy (open already), no_space (no slot).
  Result<DirectoryId> open_directory(Worker& worker, const DirectorySpec& spec, Now now);
  /// Quotas of `spec` in force from the commit on; what is over them is evicted (quota_lowered,
  /// age) in slices before that commit. False when the directory is not open.
  bool apply_quotas(Worker& worker, DirectoryId id, const DirectorySpec& spec, Now now);
  /// Evicts everything (directory_removed) and closes. Totals go to the segment's `removed`.
  bool remove_directory(Worker& worker, DirectoryId id, Now now);
  /// Closes the directory if it is empty. False when it is not.
  bool close_if_empty(Worker& worker, DirectoryId id, Now now);
  /// Evicts what is over its max_age, in one directory. True when more is due already.
  bool evict_due(Worker& worker, DirectoryId id, Now now);

  /// What the control segment said last, once it is wholly applied: published for readers.
  /// One thread at a time.
  void publish_applied(std::uint64_t control_instance, std::uint64_t serial, std::string_view version,
                       bool serving);

  /// Wakes readers that sleep on the segment (Reader::wait). For use after a commit, when the
  /// control segment says that somebody waits.
  void wake_readers();

  /// Free pages, for -STOP memory: true while at least one page can be had for a new directory.
  bool has_free_page() const;

  /// True when the file was truncated under the writer: what is written goes nowhere. To be asked
  /// now and then; a new open() sets the rest aside.
  bool torn() const;

  /// Called when the segment contradicts itself: the segment is marked, so that the next open()
  /// sets it aside. Default: print and abort. Set before the first batch.
  void on_corruption(std::function<void(const std::string&)> handler);

 private:
  struct Files;
  Writer(std::unique_ptr<Files> files, std::unique_ptr<Engine> engine, OpenReport report);
  std::unique_ptr<Files> files_;
  std::unique_ptr<Engine> engine_;
  OpenReport report_;
};

}  // namespace mayfly::shm
