// A load from start to end: threads, pacing, progress, and the report.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/load_connection.h"
#include "cli/load_limit.h"
#include "cli/load_plan.h"
#include "cli/load_probe.h"

namespace mayfly::cli {

/// What the sending threads did, added up.
struct LoadEffort {
  LoadCounts counts;
  double seconds = 0;         // until the last record was answered for
  double sending = 0;         // of them, until the last one was sent
  double busy_seconds = 0;    // processor time of all threads while sending
  double waited_seconds = 0;  // all threads: until a socket took more, or answered
};

struct LoadResult {
  LoadEffort effort;
  std::optional<std::uint64_t> server_ns;  // processor time of ingestd; nothing: not known
  LatencySummary visible;
  std::optional<std::uint64_t> stored_seen;  // what the directories' `stored` grew by; nothing: not known

  std::uint64_t stored() const {
    const auto& counts = effort.counts;
    return counts.covered - std::min(counts.covered, counts.dropped_total());
  }
  /// sent = stored + dropped + unknown, and the segment agrees where it could be asked.
  bool accounted() const;
  /// Each share is of one processor: 1 is a whole one.
  LoadShares shares(const LoadPlan& plan) const;
};

/// `told` is called about once a second with the records sent so far. Blocks until the load is over.
LoadEffort send_load(const LoadPlan& plan, const LoadBlock& block, const std::vector<WriteTarget>& targets,
                     const std::function<void(double seconds, std::uint64_t sent)>& told);

nlohmann::ordered_json load_json(const LoadPlan& plan, const LoadResult& result);
std::string load_text(const LoadPlan& plan, const LoadResult& result);

}  // namespace mayfly::cli
