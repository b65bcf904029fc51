// What reads of many hosts at once share: which hosts, how many reads at a time, and a thread for
// what takes long.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hubd/access.h"
#include "hubd/host_links.h"
#include "hubd/hub_config.h"
#include "hubd/hub_metrics.h"

namespace mayfly::hubd {

/// Belongs to the loop's thread. What it is given outlives it.
class Fleet {
 public:
  /// Reads at once: each may hold FanOutLimits::max_total_bytes.
  static constexpr unsigned kMaxReads = 4;

  struct Member {
    const Server* server;  // of the configuration in force
    Scope scope;           // not nothing
  };
  using Slot = std::shared_ptr<void>;

  Fleet(uv_loop_t* loop, HostLinks& links, HubMetrics& metrics)
      : loop_(loop), links_(links), metrics_(metrics), reads_(std::make_shared<unsigned>(0)) {}

  void set_config(std::shared_ptr<const HubConfig> config) { config_ = std::move(config); }

  /// Those of which `reader` may see something, by name. Valid until the next set_config().
  std::vector<Member> members(const Reader& reader) const;
  /// Null: too many reads run; `response` has been answered (503). Else to be held while one runs.
  Slot take_slot(ResponseWriter& response);

  /// Expires with this: what comes back later than that must touch nothing of it.
  std::weak_ptr<void> alive() const { return reads_; }
  uv_loop_t* loop() const { return loop_; }
  HostLinks& links() const { return links_; }
  HubMetrics& metrics() const { return metrics_; }

 private:
  uv_loop_t* loop_;
  HostLinks& links_;
  HubMetrics& metrics_;
  std::shared_ptr<const HubConfig> config_;
  std::shared_ptr<unsigned> reads_;  // running; only this holds it
};

/// Calls `work` on a thread of libuv's pool, then `done` on the loop. Neither touches what may be
/// gone by then.
void run_in_background(uv_loop_t* loop, std::function<void()> work, std::function<void()> done);

/// Answers with a body of stored data, and counts it.
void send_data(ResponseWriter& response, HubMetrics& metrics, std::string_view type, std::string_view body);
/// send_problem(), counted.
void send_counted_problem(ResponseWriter& response, HubMetrics& metrics, int status, std::string_view code,
                          std::string_view detail, HttpHeaders more = {});

}  // namespace mayfly::hubd
