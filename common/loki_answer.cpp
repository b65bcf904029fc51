#include "common/loki_answer.h"

#include <algorithm>

#include "common/loki_answer_parts.h"
#include "common/loki_request.h"
#include "common/text.h"

namespace mayfly::loki {
namespace {

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

std::string index_stats_json(std::uint64_t streams, std::uint64_t chunks, std::uint64_t entries,
                             std::uint64_t bytes) {
  return "{\"streams\":" + std::to_string(streams) + ",\"chunks\":" + std::to_string(chunks) +
         ",\"entries\":" + std::to_string(entries) + ",\"bytes\":" + std::to_string(bytes) + "}\n";
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
