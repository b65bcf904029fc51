// The hub's own counters, as /metrics shows them.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "common/http_server.h"
#include "hubd/access_counts.h"
#include "hubd/link_counts.h"

namespace mayfly::hubd {

/// Plain numbers of one loop thread.
struct HubMetrics {
  std::map<int, std::uint64_t> answers;  // by status
  std::uint64_t wrong_keys = 0;
  std::uint64_t rate_limited = 0;
  std::uint64_t reloads_ok = 0;
  std::uint64_t reloads_refused = 0;
  bool configuration_ok = true;  // false: the file on disk was refused, an older one is in force
  std::uint64_t waiting_polls = 0;
  std::uint64_t servers = 0;
  HttpServerCounts server;
  AccessCounts access;
  LinkCounts links;

  /// Prometheus text format, version 0.0.4.
  std::string render() const;
};

}  // namespace mayfly::hubd
