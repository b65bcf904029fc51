// Which directories are open, and under which rules. Applies the relay's list to the segment,
// opens directories that a pattern allows at their first record, closes those that stayed empty.
//
// Thread safety: one mutex for everything but generation(). Order of locks: the registry's, then a
// directory's (Worker::begin). Workers look up through a DirectoryCache and so take the mutex only
// for names that are new to them.
//
// Closing and caches: the generation grows before a directory is closed. A worker that has begun a
// batch (and so holds the directory's lock) and then still sees the generation of its look-up may
// trust it: had the directory been closed before, it would see the new one; from then on closing
// waits for its lock. Only so can the segment's slots be used again at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "ingestd/rule_set.h"
#include "shm/writer.h"

namespace mayfly::ingestd {

/// What became of a name.
struct Resolution {
  enum class State : std::uint8_t {
    open,
    refused,  // `cause` says why
    absent,   // allowed, but nobody has opened it yet
  };
  State state = State::refused;
  shm::DropCause cause = shm::DropCause::unknown_directory;  // meaningful when refused
  shm::DirectoryId id = 0;
  std::uint64_t generation = 0;  // of the registry when this was so

  bool open() const { return state == State::open; }
};

class Registry {
 public:
  /// Takes over what is open in the segment. Nothing can be looked up before the first apply().
  explicit Registry(shm::Writer& writer);

  /// Changes whenever an earlier Resolution may be wrong by now.
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  /// Looks a name up. With `create`, a directory that a rule allows is opened where it is not yet.
  /// `worker` must have no batch open.
  Resolution resolve(shm::Worker& worker, shm::Kind kind, std::string_view name, shm::Now now, bool create);
  /// As resolve(), then begins a batch on the directory before anybody can close it.
  Resolution resolve_and_begin(shm::Worker& worker, shm::Kind kind, std::string_view name, shm::Now now,
                               bool create);
  /// The longest key or value that a directory of that name could keep; 0 when there can be none.
  std::uint64_t largest_argument(shm::Kind kind, std::string_view name);

  /// Makes a complete list of the relay the one in force: removes, opens, changes quotas.
  /// Returns once all of it is committed.
  void apply(shm::Worker& worker, std::uint64_t control_instance, const shm::Rules& rules, shm::Now now);
  /// True after the first apply().
  bool in_force() const { return in_force_.load(std::memory_order_acquire); }

  /// Evicts what is over its age, and closes a pattern's directories that stayed empty for theirs.
  /// True when there is more to do at once.
  bool housekeep(shm::Worker& worker, shm::Now now);

 private:
  struct Open {
    shm::DirectoryId id = 0;
    shm::DirectorySpec spec;
    bool by_pattern = false;
    std::optional<std::uint64_t> empty_since_boot_ns;
  };
  using OpenMap = std::map<DirectoryKey, Open, DirectoryKeyLess>;

  Resolution resolve_locked(shm::Worker& worker, shm::Kind kind, std::string_view name, shm::Now now,
                            bool create);
  Resolution open_locked(shm::Worker& worker, const RuleSet::Entry& rule, std::string_view name,
                         shm::Now now);
  OpenMap::iterator settle(shm::Worker& worker, OpenMap::iterator place, shm::Now now);
  void open_listed(shm::Worker& worker, shm::Now now);
  void count_patterns();
  bool close_empty(shm::Worker& worker, shm::Now now);
  void invalidate() { generation_.fetch_add(1, std::memory_order_seq_cst); }

  shm::Writer& writer_;
  std::atomic<std::uint64_t> generation_{1};
  std::atomic<bool> in_force_{false};

  std::mutex mutex_;  // guards all below
  RuleSet rules_;
  OpenMap open_;
  std::map<std::uint64_t, std::uint64_t> pattern_uses_;  // by rule hash
};

}  // namespace mayfly::ingestd
