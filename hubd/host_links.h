// The hub's end of the tunnel: which servers listen, what they were asked, what they answered.
//
// A request waits for its server's next poll, goes out with an id of its own, and is answered by a
// POST of that id. Every wait ends: polls after 25 s, requests without an answer's head after 30 s.
#pragma once

#include <uv.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/http_message.h"
#include "hubd/access.h"
#include "hubd/host_state.h"
#include "hubd/hub_config.h"
#include "hubd/hub_metrics.h"
#include "hubd/link_shared.h"
#include "hubd/strangers.h"

namespace mayfly::hubd {

struct ForwardOptions {
  std::chrono::milliseconds head_timeout{30'000};
  /// The public path below which the server lives for this reader, without a slash at its end; a
  /// Location that is a path outside of it is taken out. Empty: every such Location.
  std::string prefix;
};

/// Belongs to the loop's thread. `loop` and `metrics` outlive it.
class HostLinks {
 public:
  HostLinks(uv_loop_t* loop, HubMetrics& metrics, const LinkTimes& times = {});
  ~HostLinks();

  /// Polls of servers that are gone, or whose key changed, end with 401.
  void set_config(const HubConfig& config);
  /// True for requests below kTunnelRoot: handle_tunnel() answers them.
  static bool is_tunnel(const HttpRequest& request);
  /// True where the body is to be handed on as it comes (the response POST).
  static bool streams_body(const HttpRequest& head);
  void handle_tunnel(HttpRequest request, ResponseWriterPtr response);

  /// Asks `server`: path and query of `request` are the server's own, its headers are sent on after
  /// filtering (header_filter.h), with `scope` beside them where it is not everything. The answer's
  /// head and body go to `response` as they come, with the headers that protect a reader's browser.
  ///
  /// Answers itself: 400 neither GET nor HEAD; 404 unknown server, or `scope` covers nothing, or only
  /// a part and the server does not honour scopes; 502 an answer that cannot be passed on; 503 too
  /// many waiting, or not yet known whether it honours scopes; 504 no answer in time.
  void forward(const std::string& server, const Scope& scope, HttpRequest request, ResponseWriterPtr response,
               ForwardOptions options = {});

  HostState state(const std::string& server) const;
  /// The last ones first; bounded.
  std::vector<KnockingStranger> strangers() const;
  /// Polls that wait now.
  std::size_t parked() const;
  /// Sends everybody away. Nothing is taken afterwards; the destructor does it too.
  void close();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace mayfly::hubd
