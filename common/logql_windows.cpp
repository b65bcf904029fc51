#include "common/logql_series.h"

namespace mayfly::logql {

shm::Result<Grid> make_grid(std::int64_t start_ns, std::int64_t end_ns, std::int64_t step_ns) {
  Grid grid;
  grid.start_ns = start_ns;
  grid.step_ns = step_ns;
  const auto steps = static_cast<std::uint64_t>(end_ns - start_ns) / static_cast<std::uint64_t>(step_ns);
  if (steps >= kMaxPoints) {
    return shm::Error{
        shm::Errc::invalid,
        "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of "
        "the step parameter"};
  }
  grid.points = static_cast<std::size_t>(steps) + 1;
  return grid;
}

shm::Result<Value> check_series(Value value) {
  const auto* matrix = std::get_if<Matrix>(&value);
  if (matrix == nullptr || matrix->size() <= kMaxSeries) return value;
  return shm::Error{
      shm::Errc::no_space,
      "maximum number of series (" + std::to_string(kMaxSeries) +
          ") reached for a single query; consider reducing query cardinality by adding more specific "
          "stream selectors, reducing the time range, or aggregating results with functions like sum, "
          "count or topk"};
}

WindowCounter::WindowCounter(const Grid& grid, const RangeAggregation& range)
    : grid_(grid), op_(range.op), range_ns_(range.range_ns), offset_ns_(range.offset_ns) {}

std::int64_t WindowCounter::first_ns() const { return grid_.start_ns - offset_ns_ - range_ns_ + 1; }
std::int64_t WindowCounter::end_ns() const { return grid_.at(grid_.points - 1) - offset_ns_ + 1; }

std::optional<std::size_t> WindowCounter::series(const Labels& labels) {
  const auto [place, is_new] = index_.try_emplace(labels, changes_.size());
  if (!is_new) return place->second;
  if ((changes_.size() + 1) * grid_.points > kMaxCells) {
    index_.erase(place);
    return std::nullopt;
  }
  changes_.emplace_back(grid_.points + 1);
  return place->second;
}

std::size_t WindowCounter::point_from(std::int64_t time_ns) const {
  if (time_ns <= grid_.start_ns) return 0;
  const auto past = static_cast<std::uint64_t>(time_ns - grid_.start_ns);
  const auto step = static_cast<std::uint64_t>(grid_.step_ns);
  const std::uint64_t point = (past + step - 1) / step;
  return point < grid_.points ? static_cast<std::size_t>(point) : grid_.points;
}

void WindowCounter::count(std::size_t series, std::int64_t time_ns, std::uint64_t bytes) {
  const std::size_t first = point_from(time_ns + offset_ns_);
  const std::size_t end = point_from(time_ns + offset_ns_ + range_ns_);
  if (first >= end) return;
  auto& changes = changes_[series];
  changes[first].entries += 1;
  changes[first].bytes += static_cast<std::int64_t>(bytes);
  changes[end].entries -= 1;
  changes[end].bytes -= static_cast<std::int64_t>(bytes);
}

Matrix WindowCounter::finish() const {
  const bool of_bytes = op_ == RangeOp::bytes_over_time || op_ == RangeOp::bytes_rate;
  const bool per_second = op_ == RangeOp::rate || op_ == RangeOp::bytes_rate;
  const double divisor = per_second ? static_cast<double>(range_ns_) / 1e9 : 1;
  Matrix matrix;
  for (const auto& [labels, place] : index_) {
    Series series{labels, std::vector<std::optional<double>>(grid_.points)};
    Cell sum;
    bool any = false;
    for (std::size_t point = 0; point < grid_.points; ++point) {
      sum.entries += changes_[place][point].entries;
      sum.bytes += changes_[place][point].bytes;
      if (sum.entries == 0) continue;
      series.values[point] = static_cast<double>(of_bytes ? sum.bytes : sum.entries) / divisor;
      any = true;
    }
    if (any) matrix.push_back(std::move(series));
  }
  return matrix;
}

}  // namespace mayfly::logql
