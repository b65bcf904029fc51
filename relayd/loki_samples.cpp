#include "relayd/loki_samples.h"

#include <algorithm>

#include "relayd/loki_keys.h"

namespace mayfly::relayd {
namespace {

shm::Error too_many_cells() {
  return {
      shm::Errc::no_space,
      "the query makes too many series for this many points. Consider adding more specific stream selectors, "
      "increasing the step, or aggregating with sum"};
}

}  // namespace

shm::Result<logql::Matrix> run_range_aggregation(LokiScan& scan, const logql::RangeAggregation& range,
                                                 const logql::Grouping* summed, const logql::Grid& grid) {
  logql::WindowCounter counter(grid, range);
  loki::Span span;
  span.start_ns = static_cast<std::uint64_t>(std::max<std::int64_t>(counter.first_ns(), 0));
  span.end_ns = static_cast<std::uint64_t>(std::clamp<std::int64_t>(counter.end_ns(), 0, logql::kMaxTimeNs));
  const bool with_levels = logql::needs_level(range.query, summed);
  for (const auto& directory : scan.directories(range.query.selector)) {
    LokiKeys keys(range.query, directory.kind, directory.name, with_levels);
    bool full = false;
    const auto read = scan.visit(directory, span, [&](const shm::RecordView& record) {
      LokiStream* stream = keys.stream_of(record.key, record.value);
      if (stream == nullptr) return true;
      if (!stream->series) {
        const logql::Labels own =
            summed != nullptr ? logql::group_labels(stream->labels, *summed) : stream->labels;
        stream->series = counter.series(own);
        full = !stream->series;
        if (full) return false;
      }
      counter.count(*stream->series, static_cast<std::int64_t>(record.time_ns), record.value.size());
      return true;
    });
    if (!read.ok()) return read.error();
    if (full) return too_many_cells();
  }
  return counter.finish();
}

shm::Result<logql::Value> run_metric_query(LokiScan& scan, const logql::Expr& expr, const logql::Grid& grid) {
  auto value =
      logql::evaluate(expr, grid, [&](const logql::RangeAggregation& range, const logql::Grouping* summed) {
        return run_range_aggregation(scan, range, summed, grid);
      });
  if (!value.ok()) return value;
  return logql::check_series(std::move(value.value()));
}

}  // namespace mayfly::relayd
