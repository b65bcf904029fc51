// The scrape: what a segment says, as Prometheus text 0.0.4 or OpenMetrics 1.0. Pure but for the reader.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/http_server.h"
#include "relayd/loki_counts.h"
#include "relayd/reading_counts.h"
#include "relayd/scoped_reader.h"
#include "relayd/tunnel_counts.h"
#include "shm/clock.h"

namespace mayfly::relayd {

enum class MetricsFormat { prometheus, open_metrics };

/// Of this relay's own connections. Nothing: there is no tunnel, or no listener.
struct LinkCounts {
  std::optional<TunnelCounts> tunnel;
  std::optional<HttpServerCounts> server;
};

std::string_view metrics_content_type(MetricsFormat format);

/// `reader` null: what can be said without a segment. A narrowed reader gets
/// what belongs to directories alone. Any thread that owns the reader.
std::string render_metrics(const ScopedReader* reader, const shm::Clocks& clocks, MetricsFormat format,
                           const ReadingCounts& reading, const LokiCounts& loki,
                           const LinkCounts& links = {});

/// A status value as a sample: finite decimal numbers only, in one spelling.
std::optional<std::string> sample_value(std::string_view value);

}  // namespace mayfly::relayd
