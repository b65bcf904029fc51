#include "common/loki_volume.h"

#include <algorithm>
#include <cmath>

namespace mayfly::loki {
namespace {

double sum_of(const logql::Series& series) {
  double sum = 0;
  for (const auto& value : series.values) {
    if (value && std::isfinite(*value)) sum += *value;
  }
  return sum;
}

}  // namespace

std::vector<logql::Labels> volume_groups(const VolumeQuestion& question, const logql::Labels& stream) {
  // Nothing to group by, as with {}: by all there is.
  const logql::Grouping grouping{question.labels.empty(), question.labels};
  logql::Labels labels = logql::group_labels(stream, grouping);
  if (!question.by_name) return {std::move(labels)};
  std::vector<logql::Labels> groups;
  for (const auto& [name, value] : labels) groups.push_back({{name, ""}});
  return groups;
}

void keep_largest(logql::Matrix& matrix, std::uint64_t limit) {
  std::stable_sort(matrix.begin(), matrix.end(),
                   [](const auto& a, const auto& b) { return sum_of(a) > sum_of(b); });
  if (matrix.size() > limit) matrix.resize(static_cast<std::size_t>(limit));
}

}  // namespace mayfly::loki
