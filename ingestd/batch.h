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

#include "ingestd/control_handle.h"
#include "ingestd/directory_cache.h"
#include "ingestd/registry.h"
#include "ingestd/service_state.h"
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

/// One record as it arrived. The views live until the batch is stored.
struct StagedRecord {
  Operation operation = Operation::append;
  shm::Kind kind = shm::Kind::log;
  bool skipped = false;  // its key or value was too long to be kept: the views say nothing
  std::uint32_t next = 0;
  std::string_view directory;
  std::string_view key;
  std::string_view value;
  std::uint64_t key_bytes = 0;  // as sent
  std::uint64_t value_bytes = 0;
  Outcome* outcome = nullptr;  // may be null
};

class Batch {
 public:
  /// Everything must outlive the batch. `worker` is the worker's own.
  Batch(shm::Writer& writer, shm::Worker worker, Registry& registry, const ServiceState& service,
        const ControlHandle& control, const shm::Clocks& clocks);

  bool empty() const { return count_ == 0; }
  bool full() const { return count_ == records_.size(); }
  /// Room for one more record; the batch must not be full.
  StagedRecord& stage() {
    StagedRecord& record = records_[count_++];
    record = StagedRecord{};
    return record;
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
  struct Group {
    Resolution found;
    std::uint32_t first = kNone;
    std::uint32_t last = kNone;
  };

  void drop(StagedRecord& record, shm::DropCause cause);
  void drop_unattributed(StagedRecord& record, shm::DropCause cause);
  void drop_all(shm::DropCause cause);
  void group_records();
  static bool usable(const DirectoryCache::Slot& slot, const StagedRecord& record);
  DirectoryCache::Slot* look_up(const StagedRecord& record);
  void add_to_group(DirectoryCache::Slot& slot, std::uint32_t index);
  bool begin(Group& group);
  void store_group(Group& group);
  void store_record(StagedRecord& record);
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
  std::array<StagedRecord, shm::kMaxBatchRecords> records_;
  std::array<Group, shm::kMaxBatchRecords> groups_;
};

}  // namespace mayfly::ingestd
