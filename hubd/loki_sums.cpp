#include "hubd/loki_sums.h"

#include <algorithm>
#include <map>
#include <utility>

#include "common/loki_volume.h"

namespace mayfly::hubd {
namespace {

constexpr std::size_t kMaxFleetCells = 4 * logql::kMaxCells;

void add_point(std::optional<double>& sum, const std::optional<double>& value) {
  if (value) sum = sum.value_or(0) + *value;
}

using SeriesByLabels = std::map<logql::Labels, logql::Series>;

logql::Series& series_for(SeriesByLabels& sums, const logql::Labels& labels, std::size_t points) {
  auto& series = sums[labels];
  series.labels = labels;
  series.values.resize(points);
  return series;
}

}  // namespace

shm::Result<logql::Value> evaluate_parts(const loki::Question& question, std::size_t leaves,
                                         const std::vector<LokiHostPart>& parts,
                                         std::vector<std::string>& problems) {
  std::vector<logql::Matrix> matrices(leaves);
  std::size_t cells = 0;
  for (const auto& part : parts) {
    if (part.status != 200) continue;
    auto matrix = question.instant ? read_host_vector(part) : read_host_matrix(part, question.grid);
    if (!matrix) {
      problems.push_back(malformed_answer(part));
      continue;
    }
    cells += matrix->size() * question.grid.points;
    if (cells > kMaxFleetCells) {
      return shm::Error{shm::Errc::no_space,
                        "the query makes too many series over all hosts; aggregate with sum"};
    }
    auto& leaf = matrices[part.leaf];
    std::move(matrix->begin(), matrix->end(), std::back_inserter(leaf));
  }
  std::size_t next = 0;
  auto value = logql::evaluate(*std::get<logql::ExprPtr>(question.query), question.grid,
                               [&](const logql::RangeAggregation&, const logql::Grouping*) {
                                 return shm::Result<logql::Matrix>(std::move(matrices[next++]));
                               });
  if (!value.ok()) return value;
  return logql::check_series(std::move(value.value()));
}

logql::Matrix sum_volumes(const loki::VolumeQuestion& question, bool ranged,
                          const std::vector<LokiHostPart>& parts, std::vector<std::string>& problems) {
  const std::size_t points = ranged ? question.grid.points : 1;
  SeriesByLabels sums;
  const logql::Labels by_server = {{std::string(kServerLabel), ""}};
  for (const auto& part : parts) {
    if (part.status != 200) continue;
    auto matrix = ranged ? read_host_matrix(part, question.grid) : read_host_vector(part);
    if (!matrix) {
      problems.push_back(malformed_answer(part));
      continue;
    }
    std::vector<std::optional<double>> most(points);
    for (const auto& series : *matrix) {
      auto& sum = series_for(sums, series.labels, points);
      for (std::size_t point = 0; point < points; ++point) {
        add_point(sum.values[point], series.values[point]);
        most[point] = std::max(most[point], series.values[point]);
      }
    }
    if (!question.by_name || !groups_by_server(question)) continue;
    // Every stream has the label, so it stands for as much as the name that most streams have.
    auto& sum = series_for(sums, by_server, points);
    for (std::size_t point = 0; point < points; ++point) add_point(sum.values[point], most[point]);
  }
  logql::Matrix matrix;
  for (auto& [labels, series] : sums) matrix.push_back(std::move(series));
  loki::keep_largest(matrix, question.limit);
  return matrix;
}

}  // namespace mayfly::hubd
