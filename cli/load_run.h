// A load from start to end: threads, pacing, progress, and the report.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/load_connection.h"
#include "cli/load_plan.h"
#include "cli/load_probe.h"

namespace mayfly::cli {

struct LoadResult {
  LoadCounts counts;
  double seconds = 0;
  std::uint64_t processor_ns = 0;  // of ingestd; 0: not known
  LatencySummary visible;
  std::optional<std::uint64_t> stored_seen;  // what the directories' `stored` grew by; nothing: not known

  std::uint64_t stored() const { return counts.covered - std::min(counts.covered, counts.dropped_total()); }
  /// sent = stored + dropped + unknown, and the segment agrees where it could be asked.
  bool accounted() const;
};

/// `told` is called about once a second with the records sent so far. Blocks until the load is over.
LoadCounts send_load(const LoadPlan& plan, const std::vector<WriteTarget>& targets,
                     const std::function<void(double seconds, std::uint64_t sent)>& told);

nlohmann::ordered_json load_json(const LoadPlan& plan, const LoadResult& result);
std::string load_text(const LoadPlan& plan, const LoadResult& result);

}  // namespace mayfly::cli
