// Queries on the pool's threads: few at once, so that they leave threads to others.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "relayd/loki_scan.h"
#include "relayd/segment_access.h"

namespace mayfly::relayd {

/// Belongs to the loop's thread. Jobs that are not through when it is destroyed are forgotten.
class LokiJobs {
 public:
  /// On a pool thread.
  using Work = std::function<void(LokiScan& scan)>;
  enum class Outcome { ran, no_segment, too_many };
  /// On the loop; `too_many` from within run().
  using Done = std::function<void(Outcome outcome)>;
  /// Set on the loop where nobody waits any more: the work ends early, `done` is not called.
  using Cancelled = std::shared_ptr<std::atomic<bool>>;

  explicit LokiJobs(SegmentAccess segment);
  ~LokiJobs();
  LokiJobs(const LokiJobs&) = delete;
  LokiJobs& operator=(const LokiJobs&) = delete;

  /// Runs `work` soon, unless there is no segment or too much waits already.
  void run(const ReadScope& scope, Cancelled cancelled, Work work, Done done);

 private:
  struct Job;
  struct State;
  static void start_next(const std::shared_ptr<State>& state);
  static void start(const std::shared_ptr<State>& state, const std::shared_ptr<Job>& job);
  std::shared_ptr<State> state_;
};

}  // namespace mayfly::relayd
