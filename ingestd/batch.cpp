#include "ingestd/batch.h"

#include <random>

namespace mayfly::ingestd {
namespace {

using shm::DropCause;

constexpr std::uint32_t kLookAhead = 4;
// Directories that are written in turn and still share the caches.
constexpr std::uint32_t kFewGroups = 4;

std::uint64_t random_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace

Batch::Batch(shm::Writer& writer, shm::Worker worker, Registry& registry, const ServiceState& service,
             const ControlHandle& control, const shm::Clocks& clocks)
    : writer_(writer),
      worker_(worker),
      registry_(registry),
      service_(service),
      control_(control),
      clocks_(clocks),
      cache_(random_seed()) {}

void Batch::stage_any(shm::Kind kind, Operation operation, const RespArguments& arguments, std::size_t key,
                      Outcome* outcome) {
  StagedRecord& record = begin_record(kind, operation, outcome);
  set_directory(record, arguments[1]);
  set_key(record, arguments[key]);
  record.key_bytes = static_cast<std::uint32_t>(arguments.bytes(key));
  record.skipped = arguments.skipped(key);
  if (operation == Operation::unset) return;
  set_value(record, arguments[key + 1]);
  record.value_bytes = static_cast<std::uint32_t>(arguments.bytes(key + 1));
  record.skipped = record.skipped || arguments.skipped(key + 1);
}

void Batch::store(shm::DropCounts& drops) {
  if (count_ == 0) return;
  drops_ = &drops;
  unattributed_.fill(0);
  if (service_.judged() != Service::go) {
    drop_all(DropCause::stopped);
  } else {
    read_clocks();
    group_records();
    store_groups();
  }
  for (std::size_t cause = 0; cause < unattributed_.size(); ++cause) {
    if (unattributed_[cause] > 0) {
      worker_.count_unattributed(static_cast<DropCause>(cause), unattributed_[cause]);
    }
  }
  count_ = 0;
  mixed_ = false;
  drops_ = nullptr;
  if (control_.reader_waits()) writer_.wake_readers();
}

void Batch::count_bad_command(shm::DropCounts& drops) {
  ++drops[static_cast<std::size_t>(DropCause::bad_command)];
  worker_.count_unattributed(DropCause::bad_command);
}

bool Batch::worth_keeping(shm::Kind kind, std::string_view directory, std::uint64_t bytes) {
  return service_.judged() == Service::go && bytes <= registry_.largest_argument(kind, directory);
}

void Batch::read_clocks() {
  if (now_.wall_ns == 0) now_ = {clocks_.wall_ns(), clocks_.boot_ns()};
}

void Batch::drop(StagedRecord& record, DropCause cause) {
  ++(*drops_)[static_cast<std::size_t>(cause)];
  if (record.outcome != nullptr) record.outcome->drop(cause);
}

void Batch::drop_unattributed(StagedRecord& record, DropCause cause) {
  drop(record, cause);
  ++unattributed_[static_cast<std::size_t>(cause)];
  if (cause == DropCause::no_memory && !writer_.has_free_page()) memory_shortage_ = true;
}

void Batch::drop_all(DropCause cause) {
  for (std::uint32_t i = 0; i < count_; ++i) drop_unattributed(records_[i], cause);
}

// Names are resolved before any directory is locked: resolving may have to open one.
void Batch::group_records() {
  groups_used_ = 0;
  ++number_;
  for (std::uint32_t i = 0; i < count_;) {
    DirectoryCache::Slot* const slot = look_up(records_[i]);
    if (slot == nullptr) {
      drop_unattributed(records_[i++], DropCause::unknown_directory);
    } else if (slot->found.open()) {
      i = add_run(*slot, i);
    } else if (slot->found.state == Resolution::State::refused) {
      drop_unattributed(records_[i++], slot->found.cause);
    } else {
      ++i;  // absent: an UNSET where nobody has written. There is nothing to remove, and nothing to open
    }
  }
}

// Adds record `first` and those directly behind it that go to the same directory; returns the next one.
std::uint32_t Batch::add_run(DirectoryCache::Slot& slot, std::uint32_t first) {
  std::uint32_t last = first;
  for (; last + 1 < count_ && slot.holds(records_[last + 1].kind, records_[last + 1].directory); ++last) {
    records_[last].next = last + 1;
  }
  records_[last].next = kNone;
  if (slot.batch != number_) {
    slot.batch = number_;
    slot.group = groups_used_++;
    groups_[slot.group] = Group{slot.found, first, last};
  } else {
    Group& group = groups_[slot.group];
    records_[group.last].next = first;
    group.last = last;
  }
  return last + 1;
}

// The cache's slot for the record's directory, filled; null for a name that none can have.
DirectoryCache::Slot* Batch::look_up(const StagedRecord& record) {
  if (record.directory.empty() || record.directory.size() > shm::kMaxNameBytes) return nullptr;
  DirectoryCache::Slot& slot = cache_.slot(record.kind, record.directory);
  // What may be otherwise by now, without the registry having changed, is asked again.
  const Resolution& found = slot.found;
  const bool lasting =
      found.open() || (found.state == Resolution::State::refused && found.cause != DropCause::no_memory);
  if (lasting && found.generation == registry_.generation() && slot.holds(record.kind, record.directory))
    return &slot;
  const bool create = record.operation == Operation::append;
  DirectoryCache::fill(slot, record.kind, record.directory,
                       registry_.resolve(worker_, record.kind, record.directory, now_, create));
  return &slot;
}

// Locks the group's directory; see registry.h for why the generation is asked after that.
bool Batch::begin(Group& group) {
  if (worker_.begin(group.found.id, now_)) {
    if (group.found.generation == registry_.generation()) return true;
    worker_.commit();
  }
  const StagedRecord& record = records_[group.first];
  group.found = registry_.resolve_and_begin(worker_, record.kind, record.directory, now_, /*create=*/true);
  return group.found.open();
}

template <bool kPrepared>
void Batch::store_record(StagedRecord& record) {
  if (record.skipped || record.operation != Operation::append) [[unlikely]] {
    store_other(record);
    return;
  }
  const std::uint64_t hash = kPrepared ? record.hash : worker_.hash(record.key_view());
  const auto dropped = worker_.put(record.key_view(), hash, record.value_view());
  if (dropped) [[unlikely]] {
    drop(record, *dropped);
    if (*dropped == DropCause::no_memory && !writer_.has_free_page()) memory_shortage_ = true;
    return;
  }
  if (record.outcome != nullptr) {
    const shm::Verdict verdict = worker_.last_stored();
    ++record.outcome->stored;
    record.outcome->last_seq = verdict.seq;
    record.outcome->last_time_ns = verdict.time_ns;
  }
}

// What the next directories will touch is fetched while this one is written.
void Batch::store_groups() {
  constexpr std::uint32_t kAnnounced = 4;
  constexpr std::uint32_t kExpected = 2;
  for (std::uint32_t i = 0; i < groups_used_; ++i) {
    if (i + kAnnounced < groups_used_) worker_.announce(groups_[i + kAnnounced].found.id);
    if (i + kExpected < groups_used_) worker_.expect(groups_[i + kExpected].found.id);
    store_group(groups_[i]);
  }
}

void Batch::store_group(Group& group) {
  if (!begin(group)) {
    drop_group(group, group.found.cause);
    return;
  }
  if (worker_.reaches_far(groups_used_ > kFewGroups)) {
    store_far(group);
  } else {
    for (std::uint32_t i = group.first; i != kNone; i = records_[i].next) store_record<false>(records_[i]);
  }
  worker_.commit();
}

/// Stores a group whose directory is larger than the caches: what its records will touch is fetched
/// ahead, all index entries first, then each key's newest record a few records before its turn.
void Batch::store_far(const Group& group) {
  for (std::uint32_t i = group.first; i != kNone; i = records_[i].next) {
    if (!records_[i].skipped) records_[i].hash = worker_.prepare(records_[i].key_view());
  }
  std::uint32_t ahead = group.first;
  for (std::uint32_t n = 0; n < kLookAhead && ahead != kNone; ++n) ahead = approach(ahead);
  for (std::uint32_t i = group.first; i != kNone; i = records_[i].next) {
    if (ahead != kNone) ahead = approach(ahead);
    store_record<true>(records_[i]);
  }
}

/// Announces a record of the group; returns the one after it.
std::uint32_t Batch::approach(std::uint32_t index) {
  const StagedRecord& record = records_[index];
  if (!record.skipped) worker_.approach(record.hash);
  return record.next;
}

void Batch::drop_group(const Group& group, DropCause cause) {
  for (std::uint32_t i = group.first; i != kNone; i = records_[i].next) drop_unattributed(records_[i], cause);
}

/// A record that was not kept, or one that removes.
void Batch::store_other(StagedRecord& record) {
  if (!record.skipped) {
    if (worker_.unset(record.key_view()) && record.outcome != nullptr) ++record.outcome->removed;
    return;
  }
  // Lengths that the quotas would allow by now were skipped for want of buffer memory.
  const auto judged = worker_.judge_lengths(record.key_bytes, record.value_bytes);
  const DropCause cause = judged.value_or(DropCause::no_memory);
  worker_.count_drop(cause);
  drop(record, cause);
}

}  // namespace mayfly::ingestd
