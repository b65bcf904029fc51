// index/volume and index/volume_range.
#include <algorithm>

#include "common/loki_volume.h"
#include "relayd/loki_keys.h"
#include "relayd/loki_listing.h"

namespace mayfly::relayd {

shm::Result<logql::Matrix> measure_volume(LokiScan& scan, const loki::VolumeQuestion& question, bool ranged) {
  logql::Grid grid = question.grid;
  logql::RangeAggregation range;
  range.op = logql::RangeOp::bytes_over_time;
  range.query.selector = question.selector;
  range.range_ns = grid.step_ns;
  if (!ranged) {
    // One window over [start, end).
    grid = logql::Grid{static_cast<std::int64_t>(question.span.end_ns) - 1, 1, 1};
    range.range_ns =
        std::max<std::int64_t>(static_cast<std::int64_t>(question.span.end_ns - question.span.start_ns), 1);
  }
  logql::WindowCounter counter(grid, range);
  const auto first = std::max<std::int64_t>(counter.first_ns(), 0);
  const loki::Span span{static_cast<std::uint64_t>(first),
                        static_cast<std::uint64_t>(std::max<std::int64_t>(counter.end_ns(), 0))};
  for (const auto& directory : scan.directories(question.selector)) {
    LokiKeys keys(range.query, directory.kind, directory.name, false);
    bool full = false;
    const auto read = scan.visit(directory, span, [&](const shm::RecordView& record) {
      const LokiStream* stream = keys.stream_of(record.key, record.value);
      if (stream == nullptr) return true;
      for (const auto& group : loki::volume_groups(question, stream->labels)) {
        const auto series = counter.series(group);
        full = !series;
        if (full) return false;
        counter.count(*series, static_cast<std::int64_t>(record.time_ns), record.value.size());
      }
      return true;
    });
    if (!read.ok()) return read.error();
    if (full) return shm::Error{shm::Errc::no_space, "the volume has too many series for this many points"};
  }
  logql::Matrix matrix = counter.finish();
  loki::keep_largest(matrix, question.limit);
  return matrix;
}

}  // namespace mayfly::relayd
