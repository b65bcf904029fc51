// What readers of Loki's API may cost this daemon. (What an answer may hold is of the API itself:
// common/loki_request.h, common/logql_series.h.)
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace mayfly::relayd {

inline constexpr std::uint64_t kLokiScanBytes = 2ull << 30;  // read in the segment, for one query
inline constexpr std::chrono::seconds kLokiScanTime{10};     // of one query, once it runs
inline constexpr std::size_t kLokiAnswerBytes = 16 << 20;    // lines in one answer
inline constexpr std::size_t kLokiMaxStreams = 10'000;       // in one listing
inline constexpr std::size_t kLokiRunning = 2;               // queries at once, of the pool's threads
inline constexpr std::size_t kLokiWaiting = 64;              // behind them; more get 429
inline constexpr std::size_t kLokiTails = 256;               // open at once; more get 429
/// Larger directories are not read as a whole for a page of log lines. Then, where the clock was set
/// back in between, lines may be missing from the page of their time.
inline constexpr std::uint64_t kLokiWholeBytes = 8 << 20;
inline constexpr std::uint64_t kLokiSliceBytes = 1 << 20;    // between two looks at the budget
inline constexpr std::size_t kLokiIntervalEntries = 50'000;  // among which `interval` chooses
inline constexpr std::size_t kLokiCachedKeys = 4096;         // labels made ready, for one directory

}  // namespace mayfly::relayd
