// What Loki's HTTP API answers, as its clients expect it. Pure functions but for send_...().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http_message.h"
#include "common/logql_series.h"

namespace mayfly::loki {

using logql::Labels;

struct Entry {
  std::uint64_t time_ns = 0;
  std::string line;  // any bytes; those that are not UTF-8 are shown as \xNN
};

/// Entries of the same labels, among them kLevelLabel where it was found out.
struct Stream {
  Labels labels;
  std::vector<Entry> entries;  // in the order of the answer
};

/// What a query cost.
struct Stats {
  std::uint64_t bytes = 0;  // of lines and keys looked at
  std::uint64_t lines = 0;
  std::uint64_t entries = 0;  // in the answer
  double exec_seconds = 0;
  double queue_seconds = 0;
};

using Warnings = std::vector<std::string>;

/// {"status":"success","data":{"resultType":"streams",...}}. `categorize`: the level stands apart
/// from the labels of the stream, and `forward` says how entries are ordered.
std::string streams_json(const std::vector<Stream>& streams, bool categorize, bool forward,
                         const Stats& stats, const Warnings& warnings);
/// "matrix"; for an instant query "vector" or "scalar".
std::string value_json(const logql::Value& value, const logql::Grid& grid, bool instant, const Stats& stats,
                       const Warnings& warnings);
/// {"status":"success","data":["a","b"]}
std::string names_json(const std::vector<std::string>& names, const Warnings& warnings);
/// {"status":"success","data":[{"a":"b"}]}
std::string series_json(const std::vector<Labels>& series, const Warnings& warnings);

std::string index_stats_json(std::uint64_t streams, std::uint64_t chunks, std::uint64_t entries,
                             std::uint64_t bytes);

/// {"streams":[...],"dropped_entries":null}: one message of a tail.
struct DroppedEntries {
  Labels labels;
  std::uint64_t time_ns = 0;
  /// How many; nothing: nobody knows.
  std::optional<std::uint64_t> missed;
};
std::string tail_frame_json(const std::vector<Stream>& streams, const std::vector<DroppedEntries>& dropped);

void append_labels(std::string& out, const Labels& labels);
/// ["1700000000000000000","line"]
void append_entry(std::string& out, const Entry& entry);
/// As Go writes it: "1267.1266666666666", "+Inf", "NaN".
std::string sample_text(double value);

/// For answers that no cache shall keep.
HttpHeaders answer_headers(std::string_view content_type);
void send_json(ResponseWriter& response, std::string_view json);
/// Errors are text/plain, as Loki's.
void send_error(ResponseWriter& response, int status, std::string_view text);
/// buildinfo and format_query, which are the same everywhere.
std::string buildinfo_json();
void send_formatted_query(ResponseWriter& response, const std::string* query);

}  // namespace mayfly::loki
