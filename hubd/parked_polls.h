// Quota requests that wait for a change. Each costs one list node; one timer serves all.
#pragma once

#include <uv.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "common/blake3.h"
#include "common/http_message.h"
#include "common/loop_timer.h"

namespace mayfly::hubd {

struct ParkedPoll {
  std::string server;
  Blake3Hash key_hash;
  std::string etag;  // what the host has
  ResponseWriterPtr response;
};

/// Belongs to the loop's thread.
class ParkedPolls {
 public:
  /// More for one server are not taken: a host needs one.
  static constexpr std::size_t kMaxPerServer = 64;

  /// `expired` gets a poll whose time is up, to answer it.
  ParkedPolls(uv_loop_t* loop, std::function<void(ParkedPoll)> expired);

  /// False when the server has too many already. A poll whose reader goes away is forgotten.
  bool park(ParkedPoll poll, std::chrono::milliseconds wait);
  /// Takes out, and hands to `answer`, those for which `is_due` holds.
  void release(const std::function<bool(const ParkedPoll&)>& is_due,
               const std::function<void(ParkedPoll)>& answer);
  std::size_t size() const { return polls_->by_deadline.size(); }

 private:
  using Deadline = std::pair<std::uint64_t, std::uint64_t>;  // loop time in ms, a number that differs
  struct Polls {
    std::map<Deadline, ParkedPoll> by_deadline;
    std::unordered_map<std::string, std::size_t> per_server;
    ParkedPoll take(std::map<Deadline, ParkedPoll>::iterator at);
  };
  void expire();
  void rearm();

  uv_loop_t* loop_;
  std::function<void(ParkedPoll)> expired_;
  std::shared_ptr<Polls> polls_;  // shared with the closed-callbacks, which may outlive us
  LoopTimer timer_;
  std::uint64_t next_number_ = 0;
};

}  // namespace mayfly::hubd
