// The data segment as its writer holds it: attach and recovery, the directory table, the page
// pool, fair shares. Works on memory, so that tests can run it on copies of a segment.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "shm/directory.h"
#include "shm/page_pool.h"
#include "shm/segment.h"
#include "shm/writer.h"

namespace mayfly::shm {

struct RecoveryReport {
  std::uint32_t rolled_back = 0;
  std::uint64_t undone_words = 0;
};

/// Fills a zeroed region as a new segment. The READY word is its last store.
void format_segment(Word* base, const Geometry& geometry, std::uint64_t instance, std::uint64_t wall_ns);
/// Reads a header. Errors: corrupt, wrong_version, not_ready.
Result<Geometry> check_header(const Word* base, std::uint64_t bytes, Word magic);
/// Puts back what unfinished transactions changed. Idempotent. Errors: corrupt.
Result<RecoveryReport> roll_back(const Segment& segment);

struct VerifyReport;
/// The validator on a private image, which it rolls back (shm/verify.h).
void verify_image(Word* base, const Geometry& geometry, VerifyReport& report);

class Engine {
 public:
  /// `base` outlives the Engine. Rolls back, rebuilds the process-local state, raises the epoch.
  /// Errors: corrupt (nothing was changed but what roll-back put back).
  static Result<std::unique_ptr<Engine>> attach(Word* base, const Geometry& geometry,
                                                std::uint32_t quarantine, const Clocks& clocks);
  ~Engine();

  Segment segment;
  const Clocks& clocks;
  PagePool pool;
  RecoveryReport recovery;
  /// By page: the transaction that logged its page word last. Guarded by the owner's mutex.
  std::vector<Word> page_touched;
  std::vector<std::unique_ptr<Directory>> directories;  // by slot; all there from the start
  std::vector<std::unique_ptr<WorkerState>> workers;    // one an area

  Result<DirectoryId> open_directory(WorkerState& worker, const DirectorySpec& spec);
  /// Runs `body` on the open directory with its lock held and a transaction open, commits and
  /// maintains. False when it is not open.
  bool with_directory(WorkerState& worker, DirectoryId id, const std::function<void(Directory&)>& body);
  bool close_directory(WorkerState& worker, DirectoryId id, bool only_if_empty);

  /// Pages for `directory`, whose transaction is open and consistent, into worker.stash: from the
  /// pool, else by evicting from the directories furthest above their share. False: nothing to be had.
  bool reserve_pages(WorkerState& worker, Directory& directory, std::uint32_t n);
  /// A directory's fair share of the usable pages, its reserve included.
  std::uint64_t fair_share(const Directory& directory) const;
  void note_reserve(Directory& directory, std::uint64_t reserve_bytes);

  /// Merges whenever neighbours fit into one page, not only in sparse directories. For tests.
  bool compact_eagerly = false;
  /// Record pages may hold so many times what lives before they are merged: while half of all pages is
  /// free, and after that. Moving records costs a fifth as much at four times as at twice.
  std::uint64_t roomy_times = 4;
  static constexpr std::uint64_t kTightTimes = 2;

  [[noreturn]] void corrupt(const std::string& what);
  std::function<void(const std::string&)> corruption_handler;

  /// Slots below it have a Directory.
  Word slots_used() const { return load_acquire(&segment.header().state.slots_used); }
  void say_goodbye();

 private:
  Engine(Word* base, const Geometry& geometry, std::uint32_t quarantine, const Clocks& clock_source);
  Status load();
  void adopt_pages();
  std::uint64_t excess_of(const Directory& directory, const Directory& asking, std::uint32_t n) const;
  bool could_free(const Directory& asking, std::uint32_t n) const;
  Directory* pick_victim(const Directory& asking, std::uint32_t n, std::uint64_t less_than_excess,
                         std::uint64_t& excess);
  enum class Gave { pages, nothing, busy };
  Gave evict_from(WorkerState& worker, Directory& asking, Directory& victim);
  bool must_leave(const Directory& directory, std::uint32_t n) const;

  std::mutex table_mutex_;  // opening and closing of slots
  std::atomic<std::uint64_t> open_directories_{0};
  std::atomic<std::uint64_t> reserved_pages_{0};
  std::atomic<std::uint64_t> pages_waited_for_{0};  // by records whose victims were busy
  std::uint64_t usable_pages_ = 0;
};

}  // namespace mayfly::shm
