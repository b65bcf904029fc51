// What readers of Loki's API asked, and what they were refused. For the scrape.
#pragma once

#include <atomic>
#include <cstdint>

namespace mayfly::relayd {

/// Any thread.
struct LokiCounts {
  std::atomic<std::uint64_t> queries = 0;   // all but tails
  std::atomic<std::uint64_t> too_many = 0;  // 429: queries, and tails
  std::atomic<std::uint64_t> too_much = 0;  // 400: bytes, series, points
  std::atomic<std::uint64_t> too_long = 0;  // 504
  std::atomic<std::uint64_t> cut = 0;       // answers and listings that say that there is more
  std::atomic<std::uint64_t> tails = 0;     // open now
  std::atomic<std::uint64_t> missed = 0;    // lines that were evicted before a tail's reader came to them
};

}  // namespace mayfly::relayd
