#include "relayd/metrics.h"

#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include "common/json_view.h"
#include "relayd/metrics_text.h"
#include "relayd/status_metrics.h"

namespace mayfly::relayd {
namespace {

using Directories = std::vector<shm::DirectoryInfo>;

/// One row a number of DirectoryInfo.
struct Row {
  std::string_view name;
  std::string_view help;
  std::uint64_t shm::DirectoryInfo::*member;
};

constexpr Row kCounters[] = {
    {"mayfly_records_stored_total", "Records stored.", &shm::DirectoryInfo::stored},
    {"mayfly_records_replaced_total", "Status values replaced by a newer one.",
     &shm::DirectoryInfo::replaced},
};

constexpr Row kGauges[] = {
    {"mayfly_directory_keys", "Live keys.", &shm::DirectoryInfo::keys},
    {"mayfly_directory_bytes", "Bytes of live keys and values.", &shm::DirectoryInfo::bytes},
    {"mayfly_directory_records", "Live records.", &shm::DirectoryInfo::records},
};

struct QuotaRow {
  std::string_view name;
  std::uint64_t shm::Quotas::*member;
  bool log_only = false;
};

constexpr QuotaRow kQuotaRows[] = {
    {"mayfly_quota_keys", &shm::Quotas::max_keys},
    {"mayfly_quota_key_bytes", &shm::Quotas::max_key_bytes},
    {"mayfly_quota_value_bytes", &shm::Quotas::max_value_bytes},
    {"mayfly_quota_total_bytes", &shm::Quotas::max_total_bytes},
    {"mayfly_quota_bytes_per_key", &shm::Quotas::max_bytes_per_key},
    {"mayfly_quota_events_per_key", &shm::Quotas::max_events_per_key, true},
    {"mayfly_quota_age_seconds", &shm::Quotas::max_age_seconds},
};

void put_rows(MetricsText& text, const Row& row, const Directories& directories) {
  for (const auto& directory : directories) {
    text.sample({{"kind", shm::kind_name(directory.kind)}, {"directory", directory.name}},
                directory.*row.member);
  }
}

/// All causes, so that each starts at 0; what named no directory under directory="".
void put_dropped(MetricsText& text, const Directories& directories, const shm::SegmentInfo* segment) {
  text.counter("mayfly_records_dropped_total", "Records not stored, by cause.");
  for (std::size_t i = 0; segment != nullptr && i < shm::kDropCauses; ++i) {
    text.sample({{"kind", ""}, {"directory", ""}, {"cause", shm::kDropCauseNames[i]}},
                segment->unattributed[i]);
  }
  for (const auto& directory : directories) {
    for (std::size_t i = 0; i < shm::kDropCauses; ++i) {
      text.sample({{"kind", shm::kind_name(directory.kind)},
                   {"directory", directory.name},
                   {"cause", shm::kDropCauseNames[i]}},
                  directory.dropped[i]);
    }
  }
}

void put_evicted(MetricsText& text, const Directories& directories) {
  text.counter("mayfly_records_evicted_total", "Stored records that live no more, by cause.");
  for (const auto& directory : directories) {
    for (std::size_t i = 0; i < shm::kEvictCauses; ++i) {
      text.sample({{"kind", shm::kind_name(directory.kind)},
                   {"directory", directory.name},
                   {"cause", shm::kEvictCauseNames[i]}},
                  directory.evicted[i]);
    }
  }
}

void put_quotas(MetricsText& text, const Directories& directories) {
  for (const auto& row : kQuotaRows) {
    text.gauge(row.name, "Quota in force.");
    for (const auto& directory : directories) {
      if (row.log_only && directory.kind != shm::Kind::log) continue;
      text.sample({{"kind", shm::kind_name(directory.kind)}, {"directory", directory.name}},
                  directory.quotas.*row.member);
    }
  }
}

void put_segment(MetricsText& text, const shm::SegmentInfo& segment) {
  std::uint64_t connections = 0;
  std::uint64_t refused = 0;
  std::uint64_t closed = 0;
  for (const auto& worker : segment.workers) {
    connections += worker.connections;
    refused += worker.refused_connections;
    closed += worker.closed_connections;
  }
  text.gauge("mayfly_ingest_connections", "Open connections of ingestd.");
  text.sample({}, connections);
  text.counter("mayfly_ingest_refused_connections_total", "Connections to ingestd refused at a limit.");
  text.sample({}, refused);
  text.counter("mayfly_ingest_closed_connections_total",
               "Connections to ingestd without any command, closed for others at a limit.");
  text.sample({}, closed);
  text.gauge("mayfly_segment_bytes", "Size of the data segment.");
  text.sample({}, segment.bytes);
  text.gauge("mayfly_segment_free_bytes", "Bytes in free pages of the data segment.");
  text.sample({}, segment.pages_free * segment.page_bytes);
  text.gauge("mayfly_writer_epoch", "How often a writer has attached to the data segment.");
  text.sample({}, segment.epoch);
}

void put_tunnel(MetricsText& text, const TunnelCounts& tunnel) {
  text.gauge("mayfly_tunnel_connected", "1 while the hub takes this host's questions for work.");
  text.sample({}, std::uint64_t{tunnel.connected ? 1u : 0u});
  text.gauge("mayfly_tunnel_requests_in_flight", "Requests of the tunnel that are being answered.");
  text.sample({}, std::uint64_t{tunnel.in_flight});
  text.counter("mayfly_tunnel_polls_total", "Questions for work.");
  text.sample({}, tunnel.polls);
  text.counter("mayfly_tunnel_requests_total", "Requests out of the tunnel, by what became of them.");
  text.sample({{"outcome", "taken"}}, tunnel.requests);
  text.sample({{"outcome", "refused"}}, tunnel.refused);
  text.sample({{"outcome", "dropped"}}, tunnel.dropped);
}

void put_server(MetricsText& text, const HttpServerCounts& server) {
  text.gauge("mayfly_relay_connections", "Open connections to relayd's listeners.");
  text.sample({}, server.connections);
  text.counter("mayfly_relay_refused_connections_total", "Connections to relayd refused at a limit.");
  text.sample({}, server.refused_connections);
  text.counter("mayfly_relay_displaced_connections_total", "Idle connections to relayd closed for others.");
  text.sample({}, server.displaced_connections);
  text.counter("mayfly_relay_timeouts_total", "Connections to relayd cut off for taking too long.");
  text.sample({}, server.timeouts);
  text.counter("mayfly_relay_malformed_requests_total", "Requests to relayd refused before their path.");
  text.sample({}, server.refused_requests);
}

void put_reading(MetricsText& text, const ReadingCounts& reading) {
  text.counter("mayfly_relay_segment_read_bytes_total", "Bytes copied out of the data segment's pages.");
  text.sample({}, reading.segment_bytes);
  text.counter("mayfly_relay_key_scans_total", "Lookups by key for which a directory was scanned.");
  text.sample({}, reading.key_scans);
  text.gauge("mayfly_relay_followers", "Who follows a directory, by where they stand.");
  text.sample({{"state", "live"}}, reading.follow.live);
  text.sample({{"state", "catching_up"}}, reading.follow.catching_up);
  text.sample({{"state", "stalled"}}, reading.follow.stalled);
  text.counter("mayfly_relay_followers_left_total", "How often a follower fell behind the shared read.");
  text.sample({}, reading.follow.left);
}

void put_loki(MetricsText& text, const LokiCounts& loki) {
  text.counter("mayfly_loki_queries_total", "Questions to Loki's API, but for tails.");
  text.sample({}, loki.queries.load());
  text.counter("mayfly_loki_refused_total", "Questions to Loki's API that were refused, by limit.");
  text.sample({{"limit", "too_many"}}, loki.too_many.load());
  text.sample({{"limit", "too_much"}}, loki.too_much.load());
  text.sample({{"limit", "too_long"}}, loki.too_long.load());
  text.counter("mayfly_loki_cut_answers_total", "Answers of Loki's API that leave something out and say so.");
  text.sample({}, loki.cut.load());
  text.gauge("mayfly_loki_tails", "Open tails of Loki's API.");
  text.sample({}, loki.tails.load());
  text.counter("mayfly_loki_missed_lines_total", "Lines evicted before a slow tail came to them.");
  text.sample({}, loki.missed.load());
}

}  // namespace

std::string_view metrics_content_type(MetricsFormat format) {
  return format == MetricsFormat::open_metrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                               : "text/plain; version=0.0.4; charset=utf-8";
}

std::optional<std::string> sample_value(std::string_view value) {
  if (value.size() > 1 && value[0] == '+' && value[1] != '-') value.remove_prefix(1);
  // from_chars also takes "inf" and "nan": a number begins with a digit, after a sign or a point.
  const std::size_t first = value.find_first_not_of("-.");
  if (first == std::string_view::npos || value[first] < '0' || value[first] > '9') return std::nullopt;
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || !std::isfinite(number))
    return std::nullopt;
  char buffer[64];
  const auto written = std::to_chars(buffer, buffer + sizeof(buffer), number);
  return std::string(buffer, written.ptr);
}

std::string render_metrics(const ScopedReader* reader, const shm::Clocks& clocks, MetricsFormat format,
                           const ReadingCounts& reading, const LokiCounts& loki, const LinkCounts& links) {
  MetricsText text(format);
  text.gauge("mayfly_build_info", "The program's version.");
  text.sample({{"version", MAYFLY_VERSION}}, std::uint64_t{1});
  const bool everything = reader == nullptr || reader->sees_everything();
  if (everything && links.tunnel) put_tunnel(text, *links.tunnel);
  if (everything && links.server) put_server(text, *links.server);
  if (reader == nullptr) return text.finish();
  const shm::SegmentInfo segment = reader->info();
  const Directories directories = reader->directories();
  for (const auto& row : kCounters) {
    text.counter(row.name, row.help);
    put_rows(text, row, directories);
  }
  put_dropped(text, directories, reader->sees_everything() ? &segment : nullptr);
  put_evicted(text, directories);
  for (const auto& row : kGauges) {
    text.gauge(row.name, row.help);
    put_rows(text, row, directories);
  }
  put_quotas(text, directories);
  if (reader->sees_everything()) {
    put_segment(text, segment);
    put_reading(text, reading);
    put_loki(text, loki);
  }
  put_status_metrics(text, *reader, directories, age_reference_ns(segment, clocks.boot_ns()));
  return text.finish();
}

}  // namespace mayfly::relayd
