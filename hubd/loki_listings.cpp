#include "hubd/loki_listings.h"

#include <iterator>
#include <set>
#include <utility>

namespace mayfly::hubd {
namespace {

std::string merge_names(const loki::Target& target, const std::vector<LokiHostPart>& parts,
                        loki::Warnings warnings) {
  const bool of_labels = target.endpoint == loki::Endpoint::labels;
  std::set<std::string> names;
  for (const auto& part : parts) {
    if (part.status != 200) continue;
    auto own = read_host_names(part);
    if (!own) {
      warnings.push_back(malformed_answer(part));
      continue;
    }
    if (of_labels && !own->empty()) names.emplace(kServerLabel);
    for (auto& name : *own) {
      const bool hidden = target.label == "directory" && !part.scope.covers(name);
      if (!hidden) names.insert(std::move(name));
    }
  }
  return loki::names_json({names.begin(), names.end()}, warnings);
}

std::string merge_series(const std::vector<LokiHostPart>& parts, loki::Warnings warnings) {
  std::set<logql::Labels> series;
  for (const auto& part : parts) {
    if (part.status != 200) continue;
    auto own = read_host_series(part);
    if (!own) {
      warnings.push_back(malformed_answer(part));
      continue;
    }
    std::move(own->begin(), own->end(), std::inserter(series, series.end()));
  }
  return loki::series_json({series.begin(), series.end()}, warnings);
}

}  // namespace

std::string merge_listing(const loki::Target& target, const std::vector<LokiHostPart>& parts,
                          loki::Warnings warnings) {
  if (target.endpoint == loki::Endpoint::series) return merge_series(parts, std::move(warnings));
  if (target.endpoint != loki::Endpoint::index_stats) return merge_names(target, parts, std::move(warnings));
  LokiIndexSums sums;
  for (const auto& part : parts) {
    if (part.status == 200) add_host_stats(part, sums);
  }
  return loki::index_stats_json(sums.streams, sums.chunks, sums.entries, sums.bytes);
}

}  // namespace mayfly::hubd
