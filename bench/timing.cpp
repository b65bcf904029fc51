#include "bench/timing.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace mayfly::bench {

std::uint64_t mono_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000ull + static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t Durations::percentile_ns(double share) const {
  if (ns_.empty()) return 0;
  auto sorted = ns_;
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  const auto at = sorted.begin() + static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1);
  std::nth_element(sorted.begin(), at, sorted.end());
  return *at;
}

void Durations::print() const {
  const auto us = [this](double share) { return static_cast<double>(percentile_ns(share)) / 1000.0; };
  std::printf("%-34s min %9.1f  p50 %9.1f  p90 %9.1f  p99 %9.1f  max %9.1f us  (%zu)\n", name_.c_str(), us(0),
              us(0.5), us(0.9), us(0.99), us(1), ns_.size());
}

}  // namespace mayfly::bench
