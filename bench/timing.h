// Durations as benchmarks print them: percentiles of many, in microseconds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mayfly::bench {

/// CLOCK_MONOTONIC in nanoseconds; the same clock in all processes of the host.
std::uint64_t mono_ns();

/// Durations of one kind.
class Durations {
 public:
  explicit Durations(std::string name) : name_(std::move(name)) {}

  void add_ns(std::uint64_t ns) { ns_.push_back(ns); }
  std::size_t count() const { return ns_.size(); }
  /// The smallest duration that `share` (0..1) of all do not exceed; 0 if there are none.
  std::uint64_t percentile_ns(double share) const;
  /// One line: name, min, p50, p90, p99, max, count.
  void print() const;

 private:
  std::string name_;
  std::vector<std::uint64_t> ns_;
};

}  // namespace mayfly::bench
