// How long a record takes from write() to being visible to a reader in another process, measured
// beside a load: one record every few milliseconds, watched for on the segment itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "cli/write_target.h"

namespace mayfly::cli {

/// Nanoseconds, as are the samples. All 0 without samples.
struct LatencySummary {
  std::uint64_t samples = 0;
  std::uint64_t p50 = 0, p90 = 0, p99 = 0, max = 0;
};

LatencySummary summarize(std::vector<std::uint64_t> samples);

/// A thread that measures from start() to stop(). `targets` outlive it.
class LoadProbe {
 public:
  LoadProbe(std::string segment_path, std::string directory, const std::vector<WriteTarget>& targets);
  ~LoadProbe();
  LoadProbe(const LoadProbe&) = delete;
  LoadProbe& operator=(const LoadProbe&) = delete;

  void start();
  /// What was measured, in nanoseconds, in order of time.
  std::vector<std::uint64_t> stop();

 private:
  void run();
  void measure_on_one_connection();
  const std::string segment_path_;
  const std::string directory_;
  const std::vector<WriteTarget>& targets_;
  std::atomic<bool> stopping_{false};
  std::vector<std::uint64_t> samples_;
  std::thread thread_;
};

}  // namespace mayfly::cli
