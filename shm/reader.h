// Reading a data segment: live, dead, or a copied file. Maps read-only and never writes, locks,
// registers or waits; every byte read is checked before use, whatever is in the file.
//
// Thread safety: a Reader may be used by one thread at a time; open one per thread. Records are
// handed out as views into the Reader's private copy: valid until the next call on it.
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

class ReaderImpl;

/// One record, copied out and validated.
struct RecordView {
  std::uint64_t seq = 0;
  std::uint64_t time_ns = 0;  // wall clock at receipt
  std::uint64_t boot_ns = 0;  // boot-time clock at receipt
  std::uint32_t ordinal = 0;  // position within its key's life, from 0, modulo 2^32
  std::string_view key;
  std::string_view value;
};

struct DirectoryInfo {
  std::uint32_t id = 0;
  Kind kind = Kind::none;
  std::string name;
  std::uint64_t incarnation = 0;
  Quotas quotas;
  std::uint64_t generation = 0;  // changes with every commit: "has anything happened?"
  std::uint64_t keys = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::optional<std::uint64_t> first_seq;  // oldest live record
  std::uint64_t next_seq = 1;              // seqs below it were given; last_seq = next_seq - 1
  std::uint64_t last_time_ns = 0;          // 0 before the first record
  std::uint64_t stored = 0;
  std::uint64_t replaced = 0;
  DropCounts dropped{};
  EvictCounts evicted{};
};

struct WorkerInfo {
  std::uint64_t heartbeat_mono_ns = 0;
  std::uint64_t heartbeat_boot_ns = 0;
  std::uint64_t connections = 0;
  std::uint64_t refused_connections = 0;  // since the segment's birth
  std::uint64_t closed_connections = 0;
};

struct SegmentInfo {
  std::uint32_t layout_version = 0;
  std::uint64_t instance = 0;
  std::uint64_t epoch = 0;
  std::uint64_t bytes = 0;
  std::uint32_t page_bytes = 0;
  std::uint64_t pages_total = 0;
  std::uint64_t pages_free = 0;
  std::uint64_t created_wall_ns = 0;
  bool same_boot = true;    // else ages are as of the last heartbeat
  bool clean_stop = false;  // the writer said goodbye
  std::vector<WorkerInfo> workers;
  // What the writer applied last from the control segment.
  std::uint64_t applied_control_instance = 0;
  std::uint64_t applied_serial = 0;
  std::string applied_version;
  bool serving = false;
  // Totals of directories that are gone, and of records that named none.
  std::uint64_t removed_stored = 0;
  std::uint64_t removed_replaced = 0;
  EvictCounts removed_evicted{};
  DropCounts removed_dropped{};
  DropCounts unattributed{};
};

/// Where a forward read goes on. A default one starts at the oldest record.
struct Cursor {
  std::uint64_t next_seq = 0;    // the first seq not yet handed out
  std::uint64_t place_hint = 0;  // opaque; 0 is always right
};

struct ReadLimits {
  std::uint64_t until_seq = ~0ull;    // exclusive
  std::uint64_t max_records = ~0ull;  // handed out
  std::uint64_t max_bytes = 1 << 20;  // visited in the segment; at least one record is handed out
};

struct ReadResult {
  bool reached_end = false;  // nothing more was committed when the read began
  std::uint64_t visited_bytes = 0;
  std::uint32_t restarts = 0;  // times the reader was overtaken
  bool partial = false;        // gave up on some records that were evicted meanwhile
};

/// Return false to stop; the record was taken all the same.
using RecordSink = std::function<bool(const RecordView&)>;
/// True for records that count.
using RecordFilter = std::function<bool(const RecordView&)>;

class Reader {
 public:
  /// Maps the file read-only. Errors: not_found, not_ready, wrong_version, corrupt, io.
  static Result<Reader> open(const std::string& path, const Clocks* clocks = nullptr);
  /// Over memory that outlives the Reader, for tests and the validator.
  static Result<Reader> over(const void* base, std::uint64_t bytes, const Clocks& clocks);
  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;
  ~Reader();

  /// True when the path names another segment by now: open anew. Two system calls.
  bool replaced() const;

  SegmentInfo info() const;
  /// Open directories, sorted by kind (log first), then name. What is due by age is counted as evicted.
  std::vector<DirectoryInfo> directories() const;
  /// One directory. Log and status are two spaces of names: both may have a directory of one name.
  std::optional<DirectoryInfo> find(Kind kind, std::string_view name) const;
  /// The one of that name; the log where there are two.
  std::optional<DirectoryInfo> find(std::string_view name) const;
  /// The commit generation of a directory slot; changes whenever anything there was committed.
  std::uint64_t generation(std::uint32_t id) const;

  /// Everything that lives in the directory, one moment, in order of seq (a status directory has
  /// one record per key). `found` is false when the directory is gone.
  struct Snapshot {
    bool found = false;
    bool partial = false;  // overtaken too often: a subset of one moment
    DirectoryInfo directory;
    std::vector<char> bytes;  // backing store of the views; a vector, since its bytes stay when it is moved
    std::vector<RecordView> records;
  };
  Snapshot snapshot(const DirectoryInfo& directory);

  /// Hands out live records from cursor.next_seq on, in order, and moves the cursor. Records
  /// evicted meanwhile are left out: the caller sees it by their seq (or, within a key, ordinal).
  /// A directory that is gone reads as empty with reached_end.
  ReadResult read(const DirectoryInfo& directory, Cursor& cursor, const ReadLimits& limits,
                  const RecordSink& sink);

  /// The seq of the n-th newest live record that passes `filter` (null: all), or of the oldest
  /// that does if there are fewer, or next_seq if none does. `max_bytes` bounds the visit.
  std::uint64_t seek_last(const DirectoryInfo& directory, std::uint64_t n, const RecordFilter& filter,
                          std::uint64_t max_bytes = ~0ull);
  /// The seq of the oldest live record received at or after `wall_ns`, or next_seq.
  std::uint64_t seek_time(const DirectoryInfo& directory, std::uint64_t wall_ns);
  /// The newest record of a key. Found by the key index: its cost does not grow with the directory.
  std::optional<RecordView> get(const DirectoryInfo& directory, std::string_view key);
  /// The newest `n` live records of one key that pass `filter` (null: all), in order of seq; of one
  /// moment, as snapshot(). Costs what the key's own records cost, from the newest to the last one taken.
  Snapshot last_of_key(const DirectoryInfo& directory, std::string_view key, std::uint64_t n,
                       const RecordFilter& filter = nullptr);
  /// As seek_last(), within one key.
  std::uint64_t seek_last_of_key(const DirectoryInfo& directory, std::string_view key, std::uint64_t n,
                                 const RecordFilter& filter = nullptr);

  /// Bytes copied from the segment so far, for tests and metrics.
  std::uint64_t bytes_read() const;
  /// Lookups by key that were answered by a scan: the index was of no use, or a scan is sooner.
  std::uint64_t key_scans() const;

  /// The word on which wait() sleeps; read it before looking for news, then hand it to wait().
  std::uint32_t wake_word() const;
  /// Sleeps until Writer::wake_readers() was called after wake_word() was read, or the timeout.
  /// For a thread of its own. The writer only wakes when the control segment asks it to.
  void wait(std::uint32_t seen, std::chrono::milliseconds timeout) const;

 private:
  explicit Reader(std::unique_ptr<ReaderImpl> impl);
  std::unique_ptr<ReaderImpl> impl_;
};

}  // namespace mayfly::shm
