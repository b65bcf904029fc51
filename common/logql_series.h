// Metric queries: samples over a grid of times, and what aggregations and operators make of them.
// Pure functions, any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/logql_labels.h"

namespace mayfly::logql {

inline constexpr std::size_t kMaxPoints = 11'000;  // of one series, as Loki
inline constexpr std::size_t kMaxSeries = 500;     // in an answer, as Loki
inline constexpr std::size_t kMaxCells = 500'000;  // points of all series of one range aggregation

/// The times that a query is evaluated at: start, start + step, ... up to end.
struct Grid {
  std::int64_t start_ns = 0;  // wall clock; up to kMaxTimeNs, as the last one
  std::int64_t step_ns = 1;   // above 0
  std::size_t points = 1;

  std::int64_t at(std::size_t point) const { return start_ns + static_cast<std::int64_t>(point) * step_ns; }
};

/// The grid of a range query. start <= end, step above 0. Errors (invalid): more than kMaxPoints.
shm::Result<Grid> make_grid(std::int64_t start_ns, std::int64_t end_ns, std::int64_t step_ns);

struct Series {
  Labels labels;
  std::vector<std::optional<double>> values;  // one a point; nothing: no sample there
};
using Matrix = std::vector<Series>;
/// Of a metric query: a plain number, or series.
using Value = std::variant<double, Matrix>;

/// Counts entries into the windows of a range aggregation: at a time t of the grid, those of
/// (t - offset - range, t - offset].
class WindowCounter {
 public:
  WindowCounter(const Grid& grid, const RangeAggregation& range);

  /// The entries that fall into any window are of [first_ns, end_ns).
  std::int64_t first_ns() const;
  std::int64_t end_ns() const;

  /// A handle for count(). Nothing: kMaxCells are taken.
  std::optional<std::size_t> series(const Labels& labels);
  /// `time_ns` from 0 to kMaxTimeNs.
  void count(std::size_t series, std::int64_t time_ns, std::uint64_t bytes);
  /// Sorted by labels; series without any sample are left out.
  Matrix finish() const;

 private:
  struct Cell {
    std::int64_t entries = 0;
    std::int64_t bytes = 0;
  };
  /// The first point of the grid at or after `time_ns`; at most grid_.points.
  std::size_t point_from(std::int64_t time_ns) const;

  Grid grid_;
  RangeOp op_;
  std::int64_t range_ns_;
  std::int64_t offset_ns_;
  std::map<Labels, std::size_t> index_;
  std::vector<std::vector<Cell>> changes_;  // of the number in the window, point by point
};

/// What one range aggregation yields. `summed`: its sum by that grouping is all that is wanted (the
/// labels of the result may be grouped already). Errors are handed on.
using LeafSource = std::function<shm::Result<Matrix>(const RangeAggregation& range, const Grouping* summed)>;

/// Errors: of the leaves; invalid: the operands do not fit.
shm::Result<Value> evaluate(const Expr& expr, const Grid& grid, const LeafSource& leaves);

/// Errors (no_space): more than kMaxSeries.
shm::Result<Value> check_series(Value value);

}  // namespace mayfly::logql
