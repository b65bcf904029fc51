// What all links share. Internal to host_links.cpp and the parts it is made of.
#pragma once

#include <uv.h>

#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>

#include "hubd/deadlines.h"
#include "hubd/hub_metrics.h"

namespace mayfly::hubd {

class HostLink;
class RelayedRequest;

/// How long things last. Other values are for tests.
struct LinkTimes {
  std::chrono::milliseconds poll_hold{25'000};  // stock servers give a poll up after 30 s
  /// A poll that ended this long ago still counts as a connection: the next one is on its way.
  std::chrono::milliseconds between_polls{5'000};
  /// Within this time after one displacement, two servers of one name are let live side by side.
  std::chrono::milliseconds displacement_pause{60'000};
  /// A server polls again at once when it has got work; one that takes longer has not got it.
  std::chrono::milliseconds lost_after{3'000};
  std::chrono::milliseconds reader_stall{60'000};  // a reader that takes nothing of a body
  /// Without a byte of an event stream, which comments keep alive every 15 s.
  std::chrono::milliseconds stream_silence{40'000};
  std::chrono::milliseconds stream_check{10'000};  // how often the two are looked at
};

/// Belongs to the loop's thread; outlives the links and requests.
struct LinkShared {
  LinkShared(uv_loop_t* loop, HubMetrics& hub_metrics, const LinkTimes& link_times)
      : deadlines(loop), metrics(hub_metrics), times(link_times) {}

  LinkCounts& counts() { return metrics.links; }

  Deadlines deadlines;
  HubMetrics& metrics;
  LinkTimes times;
  std::unordered_map<std::string, std::shared_ptr<HostLink>> links;        // by server
  std::unordered_map<std::string, std::shared_ptr<RelayedRequest>> by_id;  // every request not done
};

}  // namespace mayfly::hubd
