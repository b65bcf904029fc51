// This host's end of the tunnel: asks the relay for requests, and has them answered by whoever
// answers the listeners' (docs/tunnel.md).
#pragma once

#include <uv.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>

#include "common/http_client.h"
#include "common/http_message.h"
#include "common/loop_timer.h"
#include "common/tunnel_wire.h"
#include "relayd/tunnel_counts.h"
#include "shm/result.h"

namespace mayfly::relayd {

struct TunnelTarget {
  std::string url;      // ends in /7ZSFUKGV
  std::string name;     // of this host
  std::string api_key;  // sent over https, or to loopback; elsewhere there is no tunnel
  std::string ca_file;  // empty: the system's authorities
};

struct TunnelPace {
  std::chrono::milliseconds first_retry{500};  // after a failure; then old * 2 + 500 ms
  std::chrono::milliseconds longest_retry{30'000};
  std::chrono::milliseconds longest_reconnect{5'000};       // where nobody answered: that loads nobody
  std::chrono::milliseconds longest_loopback_retry{2'000};  // a hub on this host is asked more often
  std::chrono::milliseconds shortest_poll{100};             // between two polls that brought nothing at once
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds poll_limit{40'000};  // relays answer within 25 s, older ones within 30 s
  std::chrono::milliseconds settled{1'000};      // a poll that is open for so long counts as accepted
};

struct TunnelLimits {
  std::size_t in_flight = 256;            // requests being answered; more get 503
  std::size_t refusals = 256;             // of those 503, under way at once; more get nothing
  std::size_t max_list_bytes = 16 << 20;  // of one poll's answer
};

enum class TunnelState {
  starting,
  connected,
  refused,  // the relay does not know this name and key
  odd,      // something answers, but not as a relay does
  away,     // nobody answers
};

/// Belongs to the loop's thread. Each change of state is said in the log once.
class Uplink {
 public:
  /// `handler` gets every request, as from a listener; it outlives the uplink. `loop` runs once more
  /// after the destruction, which cuts off every answer that is under way.
  Uplink(uv_loop_t* loop, TunnelTarget target, TunnelPace pace, TunnelLimits limits, HttpHandler handler);
  ~Uplink();
  Uplink(const Uplink&) = delete;
  Uplink& operator=(const Uplink&) = delete;

  /// Polls at once. Errors (invalid): the key may not be sent to that address.
  shm::Status start();
  TunnelState state() const { return state_; }
  /// What the next poll waits for after a failure, before it is shortened at random by up to a quarter.
  std::chrono::milliseconds back_off() const { return back_off_; }
  TunnelCounts counts() const;

 private:
  struct Answers;

  void poll();
  void answered(HttpClientResponse response);
  void take_list(const std::string& body);
  void take(WrappedRequest wrapped);
  void rest();
  void failed(TunnelState state, const std::string& problem);
  void set_state(TunnelState state, const std::string& detail);

  uv_loop_t* loop_;
  TunnelTarget target_;
  TunnelPace pace_;
  TunnelLimits limits_;
  HttpHandler handler_;
  std::shared_ptr<Answers> answers_;
  LoopTimer next_poll_;
  LoopTimer settled_;  // looks whether a poll is still open
  std::minstd_rand random_;
  TunnelState state_ = TunnelState::starting;
  std::chrono::milliseconds back_off_{0};  // without its jitter
  std::uint64_t asked_at_ = 0;             // loop time, ms
  HttpClient::RequestId poll_id_ = 0;
  bool crowded_ = false;  // said in the log; until there is room for half
  TunnelCounts counts_;
};

}  // namespace mayfly::relayd
