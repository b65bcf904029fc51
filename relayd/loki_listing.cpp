#include "relayd/loki_listing.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "relayd/loki_keys.h"
#include "relayd/loki_limits.h"

namespace mayfly::relayd {
namespace {

using Selectors = std::vector<std::vector<logql::LabelMatcher>>;

/// No selector at all: everything.
const Selectors& selectors_of(const loki::ListingQuestion& question) {
  static const Selectors kEverything(1);
  return question.selectors.empty() ? kEverything : question.selectors;
}

bool names_keys(const std::vector<logql::LabelMatcher>& selector) {
  return std::any_of(selector.begin(), selector.end(),
                     [](const auto& matcher) { return matcher.name == "key"; });
}

/// True where something of the directory may be of the span, as far as can be told without reading.
bool may_hold(const shm::DirectoryInfo& directory, const loki::Span& span) {
  return directory.records > 0 && directory.last_time_ns >= span.start_ns;
}

std::string too_many_streams() {
  return "there are more than " + std::to_string(kLokiMaxStreams) + " streams; the list ends there";
}

/// Adds up one directory by key. False: there were too many keys.
shm::Result<bool> add_streams(LokiScan& scan, const std::vector<logql::LabelMatcher>& selector,
                              const shm::DirectoryInfo& directory, const loki::Span& span,
                              std::map<logql::Labels, LokiTotals>& streams) {
  const logql::LogQuery query{selector, {}};
  LokiKeys keys(query, directory.kind, directory.name, false);
  std::unordered_map<std::string, LokiTotals*> known;
  bool full = false;
  const auto read = scan.visit(directory, span, [&](const shm::RecordView& record) {
    const std::string key(record.key);
    auto found = known.find(key);
    if (found == known.end()) {
      LokiTotals* totals = nullptr;
      if (keys.selects(record.key)) {
        full = streams.size() >= kLokiMaxStreams;
        if (full) return false;
        totals = &streams[LokiKeys::stream_labels(directory.kind, directory.name, record.key)];
      }
      if (known.size() >= kLokiMaxStreams) known.clear();
      found = known.emplace(key, totals).first;
    }
    if (found->second == nullptr) return true;
    found->second->entries += 1;
    found->second->bytes += record.value.size();
    return true;
  });
  if (!read.ok()) return read.error();
  return !full;
}

}  // namespace

shm::Result<LokiSeries> list_series(LokiScan& scan, const loki::ListingQuestion& question) {
  LokiSeries list;
  for (const auto& selector : selectors_of(question)) {
    std::map<logql::Labels, LokiTotals> streams;  // of this selector: they may overlap
    for (const auto& directory : scan.directories(selector)) {
      if (!may_hold(directory, question.span)) continue;
      const auto added = add_streams(scan, selector, directory, question.span, streams);
      if (!added.ok()) return added.error();
      if (added.value()) continue;
      list.warnings.push_back(too_many_streams());
      break;
    }
    list.streams.merge(streams);
  }
  return list;
}

shm::Result<LokiNames> list_labels(LokiScan& scan, const loki::ListingQuestion& question) {
  for (const auto& selector : selectors_of(question)) {
    for (const auto& directory : scan.directories(selector)) {
      if (!may_hold(directory, question.span)) continue;
      bool any = !names_keys(selector);
      if (!any) {
        const logql::LogQuery query{selector, {}};
        LokiKeys keys(query, directory.kind, directory.name, false);
        const auto read = scan.visit(directory, question.span, [&](const shm::RecordView& record) {
          any = keys.selects(record.key);
          return !any;
        });
        if (!read.ok()) return read.error();
      }
      if (any) return LokiNames{{"directory", "key", "kind"}, {}};
    }
  }
  return LokiNames();
}

shm::Result<LokiNames> list_label_values(LokiScan& scan, const loki::ListingQuestion& question,
                                         const std::string& label) {
  LokiNames list;
  if (label != "kind" && label != "directory" && label != "key") return list;
  std::set<std::string> values;
  const bool needs_keys =
      label == "key" || std::any_of(question.selectors.begin(), question.selectors.end(), names_keys);
  if (needs_keys) {
    auto series = list_series(scan, question);
    if (!series.ok()) return series.error();
    for (const auto& [labels, totals] : series.value().streams) values.insert(labels.at(label));
    list.warnings = std::move(series.value().warnings);
    values.erase("");
  } else {
    for (const auto& selector : selectors_of(question)) {
      for (const auto& directory : scan.directories(selector)) {
        if (!may_hold(directory, question.span)) continue;
        values.insert(label == "kind" ? std::string(shm::kind_name(directory.kind)) : directory.name);
      }
    }
  }
  list.names.assign(values.begin(), values.end());
  return list;
}

shm::Result<LokiIndexStats> count_index(LokiScan& scan, const loki::ListingQuestion& question) {
  LokiIndexStats stats;
  const auto& selector = selectors_of(question).front();
  for (const auto& directory : scan.directories(selector)) {
    if (!may_hold(directory, question.span)) continue;
    const bool whole = !names_keys(selector) && directory.last_time_ns < question.span.end_ns &&
                       directory.first_seq &&
                       scan.reader().seek_time(directory, question.span.start_ns) <= *directory.first_seq;
    const std::uint64_t before = stats.entries;
    if (whole) {
      stats.streams += directory.keys;
      stats.entries += directory.records;
      stats.bytes += directory.bytes;
    } else {
      std::map<logql::Labels, LokiTotals> streams;
      const auto added = add_streams(scan, selector, directory, question.span, streams);
      if (!added.ok()) return added.error();
      stats.streams += streams.size();
      for (const auto& [labels, totals] : streams) {
        stats.entries += totals.entries;
        stats.bytes += totals.bytes;
      }
    }
    if (stats.entries > before) ++stats.directories;
  }
  return stats;
}

}  // namespace mayfly::relayd
