// Samples as Loki's clients expect them: matrix, vector, scalar.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "common/loki_answer.h"
#include "common/loki_answer_parts.h"
#include "common/text.h"

namespace mayfly::loki {
namespace {

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

std::string sample_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::string out;
  append_number(out, value);
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

}  // namespace mayfly::loki
