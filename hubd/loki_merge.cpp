#include "hubd/loki_merge.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/text.h"

namespace mayfly::hubd {
namespace {

using HostJson = nlohmann::json;

constexpr std::size_t kMaxHostLabels = 16;
// Below it the milliseconds of an answer do not tell one point of the grid from the next.
constexpr std::int64_t kMinStepNs = 2'000'000;

const HostJson* member_of(const HostJson& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

const std::string* string_of(const HostJson* value) {
  return value == nullptr ? nullptr : value->get_ptr<const std::string*>();
}

/// Nothing: no labels, or of a directory outside the scope.
std::optional<logql::Labels> host_labels(const HostJson* object, const LokiHostPart& part) {
  if (object == nullptr || !object->is_object() || object->size() > kMaxHostLabels) return std::nullopt;
  logql::Labels labels;
  for (const auto& [name, value] : object->items()) {
    const std::string* text = string_of(&value);
    if (text == nullptr) return std::nullopt;
    labels.emplace(name, *text);
  }
  const auto directory = labels.find("directory");
  if (directory != labels.end() && !directory->second.empty() && !part.scope.covers(directory->second)) {
    return std::nullopt;
  }
  labels.erase(std::string(kServerLabel));
  if (part.keeps_label) labels.emplace(kServerLabel, part.server);
  return labels;
}

std::optional<loki::Entry> host_entry(const HostJson& value) {
  if (!value.is_array() || value.size() < 2) return std::nullopt;
  const std::string* time = string_of(&value[0]);
  const std::string* line = string_of(&value[1]);
  if (time == nullptr || line == nullptr) return std::nullopt;
  const auto time_ns = parse_u64(*time);
  if (!time_ns || *time_ns > static_cast<std::uint64_t>(logql::kMaxTimeNs)) return std::nullopt;
  return loki::Entry{*time_ns, *line};
}

/// False: malformed. A stream that the reader may not see is passed over.
bool add_streams(const LokiHostPart& part, const HostJson* list, std::vector<loki::Stream>& out) {
  if (list == nullptr || !list->is_array()) return false;
  for (const auto& object : *list) {
    const HostJson* values = member_of(object, "values");
    if (values == nullptr || !values->is_array()) return false;
    auto labels = host_labels(member_of(object, "stream"), part);
    if (!labels) continue;
    loki::Stream stream{std::move(*labels), {}};
    for (const auto& value : *values) {
      auto entry = host_entry(value);
      if (!entry) return false;
      stream.entries.push_back(std::move(*entry));
    }
    out.push_back(std::move(stream));
  }
  return true;
}

/// What "data" is in a success; null: it is none.
const HostJson* data_of(const HostJson& answer) {
  const std::string* status = string_of(member_of(answer, "status"));
  return status != nullptr && *status == "success" ? member_of(answer, "data") : nullptr;
}

const HostJson* result_of(const HostJson& answer, std::string_view type) {
  const HostJson* data = data_of(answer);
  const std::string* told = data == nullptr ? nullptr : string_of(member_of(*data, "resultType"));
  return told != nullptr && *told == type ? member_of(*data, "result") : nullptr;
}

std::optional<double> host_number(const HostJson& value) {
  const std::string* text = value.size() == 2 ? string_of(&value[1]) : nullptr;
  if (text == nullptr || text->empty() || text->size() > 400) return std::nullopt;
  char* end = nullptr;
  const double number = std::strtod(text->c_str(), &end);  // "+Inf" and "NaN" among them
  return *end == '\0' ? std::optional<double>(number) : std::nullopt;
}

/// The point of the grid that a sample's time in seconds means.
std::optional<std::size_t> point_of(const HostJson& value, const logql::Grid& grid) {
  if (!value.is_array() || value.empty() || !value[0].is_number()) return std::nullopt;
  const double seconds = value[0].get<double>();
  if (!(seconds >= 0) || seconds > 5e9) return std::nullopt;
  const std::int64_t middle_ns = std::llround(seconds * 1000) * 1'000'000 + 500'000;
  const double point = static_cast<double>(middle_ns - grid.start_ns) / static_cast<double>(grid.step_ns);
  const auto nearest = std::llround(point);
  if (nearest < 0 || static_cast<std::size_t>(nearest) >= grid.points) return std::nullopt;
  return static_cast<std::size_t>(nearest);
}

struct PlacedEntry {
  std::uint64_t time_ns;
  const logql::Labels* labels;
  loki::Entry* entry;
};

}  // namespace

std::optional<LokiHostStreams> read_host_streams(const LokiHostPart& part) {
  const HostJson answer = HostJson::parse(part.body, nullptr, false);
  LokiHostStreams streams;
  if (!add_streams(part, result_of(answer, "streams"), streams.streams)) return std::nullopt;
  const HostJson* warnings = member_of(answer, "warnings");
  streams.cut = warnings != nullptr && warnings->is_array() && !warnings->empty();
  return streams;
}

bool read_host_frame(const LokiHostPart& part, std::string_view json, std::vector<loki::Stream>& streams,
                     std::vector<loki::DroppedEntries>& dropped) {
  const HostJson frame = HostJson::parse(json, nullptr, false);
  if (!add_streams(part, member_of(frame, "streams"), streams)) return false;
  const HostJson* list = member_of(frame, "dropped_entries");
  if (list == nullptr || list->is_null()) return true;
  if (!list->is_array()) return false;
  for (const auto& object : *list) {
    auto labels = host_labels(member_of(object, "labels"), part);
    const std::string* time = string_of(member_of(object, "timestamp"));
    const auto time_ns = time != nullptr ? parse_u64(*time) : std::nullopt;
    if (!labels || !time_ns) continue;
    const HostJson* missed = member_of(object, "missed");
    const bool counted = missed != nullptr && missed->is_number_unsigned();
    dropped.push_back(
        {std::move(*labels), *time_ns, counted ? std::optional(missed->get<std::uint64_t>()) : std::nullopt});
  }
  return true;
}

std::optional<logql::Matrix> read_host_matrix(const LokiHostPart& part, const logql::Grid& grid) {
  if (grid.points > 1 && grid.step_ns < kMinStepNs) return std::nullopt;
  const HostJson answer = HostJson::parse(part.body, nullptr, false);
  const HostJson* result = result_of(answer, "matrix");
  if (result == nullptr || !result->is_array() || result->size() * grid.points > logql::kMaxCells) {
    return std::nullopt;
  }
  logql::Matrix matrix;
  for (const auto& object : *result) {
    const HostJson* values = member_of(object, "values");
    if (values == nullptr || !values->is_array()) return std::nullopt;
    auto labels = host_labels(member_of(object, "metric"), part);
    if (!labels) continue;
    logql::Series series{std::move(*labels), std::vector<std::optional<double>>(grid.points)};
    for (const auto& value : *values) {
      const auto point = grid.points == 1 ? std::optional<std::size_t>(0) : point_of(value, grid);
      const auto number = host_number(value);
      if (!point || !number) return std::nullopt;
      series.values[*point] = *number;
    }
    matrix.push_back(std::move(series));
  }
  return matrix;
}

std::optional<logql::Matrix> read_host_vector(const LokiHostPart& part) {
  const HostJson answer = HostJson::parse(part.body, nullptr, false);
  const HostJson* result = result_of(answer, "vector");
  if (result == nullptr || !result->is_array()) return std::nullopt;
  logql::Matrix matrix;
  for (const auto& object : *result) {
    const HostJson* value = member_of(object, "value");
    const auto number = value != nullptr ? host_number(*value) : std::nullopt;
    if (!number) return std::nullopt;
    auto labels = host_labels(member_of(object, "metric"), part);
    if (labels) matrix.push_back({std::move(*labels), {*number}});
  }
  return matrix;
}

std::optional<std::vector<std::string>> read_host_names(const LokiHostPart& part) {
  const HostJson answer = HostJson::parse(part.body, nullptr, false);
  const HostJson* data = data_of(answer);
  if (data == nullptr || !data->is_array()) return std::nullopt;
  std::vector<std::string> names;
  for (const auto& value : *data) {
    const std::string* name = string_of(&value);
    if (name == nullptr) return std::nullopt;
    names.push_back(*name);
  }
  return names;
}

std::optional<std::vector<logql::Labels>> read_host_series(const LokiHostPart& part) {
  const HostJson answer = HostJson::parse(part.body, nullptr, false);
  const HostJson* data = data_of(answer);
  if (data == nullptr || !data->is_array()) return std::nullopt;
  std::vector<logql::Labels> series;
  for (const auto& object : *data) {
    if (auto labels = host_labels(&object, part)) series.push_back(std::move(*labels));
  }
  return series;
}

bool add_host_stats(const LokiHostPart& part, LokiIndexSums& sums) {
  const HostJson answer = HostJson::parse(part.body, nullptr, false);
  LokiIndexSums own;
  for (const auto& [name, sum] : {std::pair("streams", &own.streams), std::pair("chunks", &own.chunks),
                                  std::pair("entries", &own.entries), std::pair("bytes", &own.bytes)}) {
    const HostJson* value = member_of(answer, name);
    if (value == nullptr || !value->is_number_unsigned()) return false;
    *sum = value->get<std::uint64_t>();
  }
  sums.streams += own.streams;
  sums.chunks += own.chunks;
  sums.entries += own.entries;
  sums.bytes += own.bytes;
  return true;
}

std::string malformed_answer(const LokiHostPart& part) {
  return "left out (malformed answer): " + part.server;
}

MergedStreams merge_streams(std::vector<LokiHostStreams> hosts, std::uint64_t limit, bool forward,
                            std::uint64_t interval_ns) {
  const auto comes_first = [forward](std::uint64_t a, std::uint64_t b) { return forward ? a < b : a > b; };
  std::vector<PlacedEntry> all;
  std::optional<std::uint64_t> bound;  // of the first host that had to stop
  for (auto& host : hosts) {
    std::optional<std::uint64_t> last;
    for (auto& stream : host.streams) {
      for (auto& entry : stream.entries) {
        all.push_back({entry.time_ns, &stream.labels, &entry});
        if (!last || comes_first(*last, entry.time_ns)) last = entry.time_ns;
      }
    }
    if (host.cut && last && (!bound || comes_first(*last, *bound))) bound = last;
  }
  std::stable_sort(all.begin(), all.end(),
                   [&](const auto& a, const auto& b) { return comes_first(a.time_ns, b.time_ns); });
  std::map<logql::Labels, std::vector<loki::Entry>> streams;
  MergedStreams merged;
  std::uint64_t last_ns = 0;
  for (const auto& placed : all) {
    if (bound && comes_first(*bound, placed.time_ns)) break;
    if (merged.entries > 0) {
      if (interval_ns > 0) {
        const std::uint64_t apart = forward ? placed.time_ns - last_ns : last_ns - placed.time_ns;
        if (apart < interval_ns) continue;
      }
      // Entries of one time stay together.
      if (merged.entries >= limit && (interval_ns > 0 || placed.time_ns != last_ns)) break;
    }
    last_ns = placed.time_ns;
    ++merged.entries;
    streams[*placed.labels].push_back(std::move(*placed.entry));
  }
  for (auto& [labels, entries] : streams) merged.streams.push_back({labels, std::move(entries)});
  return merged;
}

}  // namespace mayfly::hubd
