#include "common/loki_answer.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/loki_request.h"
#include "common/text.h"

namespace mayfly::loki {
namespace {

constexpr std::string_view kSuccess = R"({"status":"success","data":)";

void append_number(std::string& out, double value) {
  char buffer[400];
  const auto written = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::fixed);
  out.append(buffer, written.ptr);
}

void append_field(std::string& out, std::string_view name, std::uint64_t value) {
  out += '"';
  out += name;
  out += "\":" + std::to_string(value) + ",";
}

double per_second(std::uint64_t amount, double seconds) {
  return seconds > 0 ? std::floor(static_cast<double>(amount) / seconds) : 0;
}

/// There are neither ingesters nor a store; everything counts in the summary.
void append_stats(std::string& out, const Stats& stats) {
  out += R"("stats":{"summary":{"bytesProcessedPerSecond":)";
  append_number(out, per_second(stats.bytes, stats.exec_seconds));
  out += R"(,"linesProcessedPerSecond":)";
  append_number(out, per_second(stats.lines, stats.exec_seconds));
  out += ',';
  append_field(out, "totalBytesProcessed", stats.bytes);
  append_field(out, "totalLinesProcessed", stats.lines);
  append_field(out, "totalEntriesReturned", stats.entries);
  out += R"("execTime":)";
  append_number(out, stats.exec_seconds);
  out += R"(,"queueTime":)";
  append_number(out, stats.queue_seconds);
  out +=
      R"(},"ingester":{"compressedBytes":0,"decompressedBytes":0,"decompressedLines":0,"headChunkBytes":0,)"
      R"("headChunkLines":0,"totalBatches":0,"totalChunksMatched":0,"totalDuplicates":0,"totalLinesSent":0,)"
      R"("totalReached":0},"store":{"compressedBytes":0,"decompressedBytes":0,"decompressedLines":0,)"
      R"("chunksDownloadTime":0,"totalChunksRef":0,"totalChunksDownloaded":0,"totalDuplicates":0}})";
}

/// Closes an answer that kSuccess began.
void append_end(std::string& out, const Warnings& warnings) {
  if (!warnings.empty()) {
    out += ",\"warnings\":[";
    for (std::size_t i = 0; i < warnings.size(); ++i) {
      if (i > 0) out += ',';
      append_json_string(out, warnings[i]);
    }
    out += ']';
  }
  out += "}\n";
}

void append_entry_start(std::string& out, const Entry& entry) {
  out += "[\"" + std::to_string(entry.time_ns) + "\",";
  append_json_string(out, entry.line);
}

void append_stream(std::string& out, const Stream& stream) {
  out += "{\"stream\":";
  append_labels(out, stream.labels);
  out += ",\"values\":[";
  for (std::size_t i = 0; i < stream.entries.size(); ++i) {
    if (i > 0) out += ',';
    append_entry(out, stream.entries[i]);
  }
  out += "]}";
}

struct LeveledEntry {
  const Entry* entry;
  std::string_view level;  // empty: none
};

/// Streams that differ in the level alone, as one.
std::map<Labels, std::vector<LeveledEntry>> without_levels(const std::vector<Stream>& streams, bool forward) {
  std::map<Labels, std::vector<LeveledEntry>> merged;
  for (const auto& stream : streams) {
    Labels labels = stream.labels;
    labels.erase(std::string(logql::kLevelLabel));
    const auto level = stream.labels.find(std::string(logql::kLevelLabel));
    auto& entries = merged[std::move(labels)];
    for (const auto& entry : stream.entries) {
      entries.push_back({&entry, level == stream.labels.end() ? std::string_view() : level->second});
    }
  }
  for (auto& [labels, entries] : merged) {
    std::stable_sort(entries.begin(), entries.end(), [forward](const auto& a, const auto& b) {
      return forward ? a.entry->time_ns < b.entry->time_ns : a.entry->time_ns > b.entry->time_ns;
    });
  }
  return merged;
}

void append_categorized(std::string& out, const std::vector<Stream>& streams, bool forward) {
  bool first = true;
  for (const auto& [labels, entries] : without_levels(streams, forward)) {
    if (!std::exchange(first, false)) out += ',';
    out += "{\"stream\":";
    append_labels(out, labels);
    out += ",\"values\":[";
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) out += ',';
      append_entry_start(out, *entries[i].entry);
      out += ",{";
      if (!entries[i].level.empty()) {
        out += R"("structuredMetadata":)";
        append_labels(out, {{std::string(logql::kLevelLabel), std::string(entries[i].level)}});
      }
      out += "}]";
    }
    out += "]}";
  }
}

/// Seconds, to the millisecond.
void append_seconds(std::string& out, std::int64_t ns) {
  const std::int64_t ms = ns / 1'000'000;
  out += std::to_string(ms / 1000);
  if (ms % 1000 == 0) return;
  std::string fraction = std::to_string(ms % 1000);
  fraction.insert(0, 3 - fraction.size(), '0');
  while (fraction.back() == '0') fraction.pop_back();
  out += "." + fraction;
}

void append_sample(std::string& out, std::int64_t ns, double value) {
  out += '[';
  append_seconds(out, ns);
  out += ",\"" + sample_text(value) + "\"]";
}

void append_series(std::string& out, const logql::Series& series, const logql::Grid& grid, bool instant) {
  out += "{\"metric\":";
  append_labels(out, series.labels);
  out += instant ? ",\"value\":" : ",\"values\":[";
  bool first = true;
  for (std::size_t point = 0; point < series.values.size(); ++point) {
    if (!series.values[point]) continue;
    if (!std::exchange(first, false)) out += ',';
    append_sample(out, grid.at(point), *series.values[point]);
  }
  out += instant ? "}" : "]}";
}

bool has_sample(const logql::Series& series) {
  return std::any_of(series.values.begin(), series.values.end(),
                     [](const auto& value) { return value.has_value(); });
}

}  // namespace

void append_labels(std::string& out, const Labels& labels) {
  out += '{';
  bool first = true;
  for (const auto& [name, value] : labels) {
    if (!std::exchange(first, false)) out += ',';
    append_json_string(out, name);
    out += ':';
    append_json_string(out, value);
  }
  out += '}';
}

void append_entry(std::string& out, const Entry& entry) {
  append_entry_start(out, entry);
  out += ']';
}

std::string sample_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::string out;
  append_number(out, value);
  return out;
}

std::string streams_json(const std::vector<Stream>& streams, bool categorize, bool forward,
                         const Stats& stats, const Warnings& warnings) {
  std::string out(kSuccess);
  out += R"({"resultType":"streams",)";
  if (categorize) out += R"("encodingFlags":["categorize-labels"],)";
  out += "\"result\":[";
  if (categorize) {
    append_categorized(out, streams, forward);
  } else {
    for (std::size_t i = 0; i < streams.size(); ++i) {
      if (i > 0) out += ',';
      append_stream(out, streams[i]);
    }
  }
  out += "],";
  append_stats(out, stats);
  out += '}';
  append_end(out, warnings);
  return out;
}

std::string value_json(const logql::Value& value, const logql::Grid& grid, bool instant, const Stats& stats,
                       const Warnings& warnings) {
  std::string out(kSuccess);
  const auto* number = std::get_if<double>(&value);
  if (number != nullptr && instant) {
    out += R"({"resultType":"scalar","result":)";
    append_sample(out, grid.start_ns, *number);
    out += ',';
  } else {
    out += instant ? R"({"resultType":"vector","result":[)" : R"({"resultType":"matrix","result":[)";
    logql::Matrix constant;
    if (number != nullptr) constant.push_back({{}, std::vector<std::optional<double>>(grid.points, *number)});
    const auto& matrix = number != nullptr ? constant : std::get<logql::Matrix>(value);
    bool first = true;
    for (const auto& series : matrix) {
      if (!has_sample(series)) continue;
      if (!std::exchange(first, false)) out += ',';
      append_series(out, series, grid, instant);
    }
    out += "],";
  }
  append_stats(out, stats);
  out += '}';
  append_end(out, warnings);
  return out;
}

std::string names_json(const std::vector<std::string>& names, const Warnings& warnings) {
  std::string out(kSuccess);
  out += '[';
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, names[i]);
  }
  out += ']';
  append_end(out, warnings);
  return out;
}

std::string series_json(const std::vector<Labels>& series, const Warnings& warnings) {
  std::string out(kSuccess);
  out += '[';
  for (std::size_t i = 0; i < series.size(); ++i) {
    if (i > 0) out += ',';
    append_labels(out, series[i]);
  }
  out += ']';
  append_end(out, warnings);
  return out;
}

std::string tail_frame_json(const std::vector<Stream>& streams, const std::vector<DroppedEntries>& dropped) {
  std::string out = "{\"streams\":[";
  for (std::size_t i = 0; i < streams.size(); ++i) {
    if (i > 0) out += ',';
    append_stream(out, streams[i]);
  }
  out += "],\"dropped_entries\":";
  if (dropped.empty()) return out + "null}";
  for (std::size_t i = 0; i < dropped.size(); ++i) {
    out += i == 0 ? "[" : ",";
    out += "{\"labels\":";
    append_labels(out, dropped[i].labels);
    out += ",\"timestamp\":\"" + std::to_string(dropped[i].time_ns) + "\",\"missed\":";
    out += dropped[i].missed ? std::to_string(*dropped[i].missed) : "null";
    out += '}';
  }
  return out + "]}";
}

HttpHeaders answer_headers(std::string_view content_type) {
  return {{"Content-Type", std::string(content_type)},
          {"Cache-Control", "no-store"},
          {"X-Content-Type-Options", "nosniff"}};
}

void send_json(ResponseWriter& response, std::string_view json) {
  response.send(200, answer_headers("application/json; charset=UTF-8"), json);
}

void send_error(ResponseWriter& response, int status, std::string_view text) {
  response.send(status, answer_headers("text/plain; charset=utf-8"), escape_invalid_utf8(text) + "\n");
}

std::string buildinfo_json() {
  std::string out = "{\"version\":\"";
  out += kApiVersion;
  out += R"(","revision":"mayfly )" MAYFLY_VERSION
         R"(","branch":"","buildUser":"","buildDate":"","goVersion":""})";
  return out + "\n";
}

void send_formatted_query(ResponseWriter& response, const std::string* query) {
  const auto parsed = logql::parse(query != nullptr ? *query : std::string());
  if (!parsed.ok()) return send_error(response, 400, parsed.error().text);
  std::string out(kSuccess);
  append_json_string(out, logql::to_text(parsed.value()));
  send_json(response, out + "}\n");
}

}  // namespace mayfly::loki
