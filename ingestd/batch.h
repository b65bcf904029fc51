// Records on their way from a socket's bytes into the segment: staged as views, grouped by
// directory, stored in one batch per directory.
//
// The order of arrival is kept within a directory (and so within a key); directories have no order
// among each other. Nothing is allocated per record. Not thread-safe: one per worker.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "common/resp_parser.h"
#include "ingestd/control_handle.h"
#include "ingestd/directory_cache.h"
#include "ingestd/registry.h"
#include "ingestd/service_state.h"
#include "shm/bytes.h"
#include "shm/writer.h"

namespace mayfly::ingestd {

/// What became of the records of one command, added up. Dropped: the first cause counts.
struct Outcome {
  std::uint64_t stored = 0;
  std::uint64_t removed = 0;
  std::uint64_t dropped = 0;
  shm::DropCause first_cause = shm::DropCause::stopped;
  std::uint64_t last_seq = 0;
  std::uint64_t last_time_ns = 0;

  void drop(shm::DropCause cause) {
    if (dropped++ == 0) first_cause = cause;
  }
};

enum class Operation : std::uint8_t { append, unset };

/// One record as it arrived. What it points to lives until the batch is stored. A cache line.
struct StagedRecord {
  std::string_view directory;
  const char* key;
  const char* value;
  Outcome* outcome;           // may be null
  std::uint64_t hash;         // of the key; the batch's own
  std::uint32_t key_bytes;    // as sent; a command's arguments are far smaller than 4 GiB
  std::uint32_t value_bytes;  // as sent
  std::uint32_t next;         // of the same directory; the batch's own
  Operation operation;
  shm::Kind kind;
  bool skipped;  // its key or value was too long to be kept: only the lengths are true

  std::string_view key_view() const { return {key, key_bytes}; }
  std::string_view value_view() const { return {value, value_bytes}; }
};
static_assert(sizeof(StagedRecord) <= 64);

class Batch {
 public:
  /// Everything must outlive the batch. `worker` is the worker's own.
  Batch(shm::Writer& writer, shm::Worker worker, Registry& registry, const ServiceState& service,
        const ControlHandle& control, const shm::Clocks& clocks);

  bool empty() const { return count_ == 0; }
  /// Records of one directory are committed 128 at a time at most, so there is nothing to gain from
  /// more of them; of many directories, more records mean fewer commits.
  bool full() const { return count_ >= (mixed_ ? kMostRecords : shm::kMaxBatchRecords); }
  /// Stages one more record: arguments 1 (directory), `key` and, of an append, the one after it. The
  /// batch must not be full. `outcome` may be null.
  void stage(shm::Kind kind, Operation operation, const RespArguments& arguments, std::size_t key,
             Outcome* outcome) {
    if (!arguments.whole()) [[unlikely]] {
      stage_any(kind, operation, arguments, key, outcome);
      return;
    }
    StagedRecord& record = begin_record(kind, operation, outcome);
    set_directory(record, arguments.kept(1));
    set_key(record, arguments.kept(key));
    if (operation == Operation::append) set_value(record, arguments.kept(key + 1));
  }
  /// Reads the clocks anew at the next store(). Call once per socket read.
  void new_turn() { now_.wall_ns = 0; }
  /// Judges and stores all that is staged, then forgets it. Drops are added to `drops`, too.
  void store(shm::DropCounts& drops);
  /// Counts a command that is no record: bad_command, in the segment and in `drops`.
  void count_bad_command(shm::DropCounts& drops);
  /// True when an argument of that many bytes may be worth keeping for this directory.
  bool worth_keeping(shm::Kind kind, std::string_view directory, std::uint64_t bytes);
  /// True once after a record found no page while the whole segment had none.
  bool take_memory_shortage() { return std::exchange(memory_shortage_, false); }
  shm::Worker& worker() { return worker_; }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  static constexpr std::uint32_t kMostRecords = 1024;
  struct Group {
    Resolution found;
    std::uint32_t first = kNone;
    std::uint32_t last = kNone;
  };

  StagedRecord& begin_record(shm::Kind kind, Operation operation, Outcome* outcome) {
    StagedRecord& record = records_[count_++];
    record.outcome = outcome;
    record.operation = operation;
    record.kind = kind;
    record.skipped = false;
    record.value_bytes = 0;
    return record;
  }
  void set_directory(StagedRecord& record, std::string_view directory) {
    record.directory = directory;
    if (&record != records_.data()) mixed_ = mixed_ || !shm::equal_bytes((&record - 1)->directory, directory);
  }
  static void set_key(StagedRecord& record, std::string_view key) {
    record.key = key.data();
    record.key_bytes = static_cast<std::uint32_t>(key.size());
  }
  static void set_value(StagedRecord& record, std::string_view value) {
    record.value = value.data();
    record.value_bytes = static_cast<std::uint32_t>(value.size());
  }
  void stage_any(shm::Kind kind, Operation operation, const RespArguments& arguments, std::size_t key,
                 Outcome* outcome);
  void drop(StagedRecord& record, shm::DropCause cause);
  void drop_unattributed(StagedRecord& record, shm::DropCause cause);
  void drop_all(shm::DropCause cause);
  void group_records();
  DirectoryCache::Slot* look_up(const StagedRecord& record);
  std::uint32_t add_run(DirectoryCache::Slot& slot, std::uint32_t first);
  void store_far(const Group& group);
  bool begin(Group& group);
  void store_groups();
  void store_group(Group& group);
  std::uint32_t approach(std::uint32_t index);
  template <bool kPrepared>
  void store_record(StagedRecord& record);
  void store_other(StagedRecord& record);
  void drop_group(const Group& group, shm::DropCause cause);
  void read_clocks();

  shm::Writer& writer_;
  shm::Worker worker_;
  Registry& registry_;
  const ServiceState& service_;
  ControlView control_;
  const shm::Clocks& clocks_;
  DirectoryCache cache_;
  shm::Now now_;
  std::uint64_t number_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t groups_used_ = 0;
  bool memory_shortage_ = false;
  shm::DropCounts* drops_ = nullptr;  // of the connection, during store()
  shm::DropCounts unattributed_{};    // of this store()
  bool mixed_ = false;                // records of more than one directory are staged
  std::array<StagedRecord, kMostRecords> records_;
  std::array<Group, kMostRecords> groups_;
};

}  // namespace mayfly::ingestd
