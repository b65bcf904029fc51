// What one query has cost so far, and whether it may go on.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include "shm/result.h"

namespace mayfly::relayd {

/// One thread, but for the flag, which the loop sets when the reader is gone.
class LokiBudget {
 public:
  LokiBudget(std::shared_ptr<const std::atomic<bool>> cancelled, std::uint64_t bytes,
             std::chrono::milliseconds time, double queued_seconds = 0)
      : cancelled_(std::move(cancelled)),
        queued_seconds_(queued_seconds),
        bytes_left_(bytes),
        began_(std::chrono::steady_clock::now()),
        deadline_(began_ + time) {}

  /// Counts what was read. Errors: no_space (too many bytes), busy (too long, or nobody waits any more).
  shm::Status spend(std::uint64_t bytes, std::uint64_t lines);
  /// True when spend() would fail, apart from what is not counted yet.
  bool is_over() const;

  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t lines() const { return lines_; }
  double seconds() const;
  /// How long the query waited before it ran.
  double queued_seconds() const { return queued_seconds_; }

 private:
  std::shared_ptr<const std::atomic<bool>> cancelled_;
  double queued_seconds_;
  std::uint64_t bytes_left_;
  std::chrono::steady_clock::time_point began_;
  std::chrono::steady_clock::time_point deadline_;
  std::uint64_t bytes_ = 0;
  std::uint64_t lines_ = 0;
};

}  // namespace mayfly::relayd
