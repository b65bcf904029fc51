// What streams there are: labels, their values, series, sizes. For a pool thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/loki_answer.h"
#include "common/loki_request.h"
#include "relayd/loki_scan.h"

namespace mayfly::relayd {

struct LokiTotals {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  // of lines
};

struct LokiNames {
  std::vector<std::string> names;  // sorted
  loki::Warnings warnings;
};

struct LokiSeries {
  std::map<logql::Labels, LokiTotals> streams;
  loki::Warnings warnings;  // where there are more than kLokiMaxStreams
};

/// All fail with the budget's errors.
shm::Result<LokiNames> list_labels(LokiScan& scan, const loki::ListingQuestion& question);
shm::Result<LokiNames> list_label_values(LokiScan& scan, const loki::ListingQuestion& question,
                                         const std::string& label);
shm::Result<LokiSeries> list_series(LokiScan& scan, const loki::ListingQuestion& question);

struct LokiIndexStats {
  std::uint64_t streams = 0;
  std::uint64_t directories = 0;
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
};
/// A directory that lies within the span as a whole is not read: its own counts are taken, which
/// count keys as well as lines.
shm::Result<LokiIndexStats> count_index(LokiScan& scan, const loki::ListingQuestion& question);

/// Bytes of lines by labels; a vector over one point, or over the grid where `ranged`. At most
/// question.limit series, the largest first.
shm::Result<logql::Matrix> measure_volume(LokiScan& scan, const loki::VolumeQuestion& question, bool ranged);

}  // namespace mayfly::relayd
