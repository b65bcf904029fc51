// Many hosts' metrics as one exposition, each sample with the label `server`. Pure functions, any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mayfly::hubd {

struct HostMetrics {
  std::string server;
  bool up = false;  // it answered
  std::optional<std::uint64_t> last_seen_ns;
  int status = 0;         // of its answer; only a 200 is read
  std::string body;       // text format, version 0.0.4
  bool complete = false;  // of `body`
};

/// One HELP and TYPE for each family, each family's samples together, then the hub's own words on
/// each host (`mayfly_host_*`). A label `server` of a host's own is renamed to `exported_server`;
/// names that are the hub's or Prometheus's own are dropped. Where hosts disagree on a family's
/// type it is untyped: none of them can take the others' samples away.
std::string fleet_exposition(const std::vector<HostMetrics>& hosts, bool open_metrics);

}  // namespace mayfly::hubd
