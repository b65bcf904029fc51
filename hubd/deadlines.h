// Many points in time on one libuv timer.
#pragma once

#include <uv.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "common/loop_timer.h"

namespace mayfly::hubd {

/// Belongs to the loop's thread; the loop runs once more after the destruction.
class Deadlines {
 public:
  using Key = std::pair<std::uint64_t, std::uint64_t>;  // loop time in ms, a number that differs

  explicit Deadlines(uv_loop_t* loop);

  /// Calls `call` once after `delay`, from the loop.
  Key add(std::chrono::milliseconds delay, std::function<void()> call);
  /// Forgets one that is not due yet; any other key is ignored.
  void remove(const Key& key);
  std::uint64_t now_ms() const { return uv_now(loop_); }

 private:
  void expire();
  void rearm();

  uv_loop_t* loop_;
  std::map<Key, std::function<void()>> calls_;
  std::uint64_t armed_for_ = 0;  // 0: the timer does not run
  std::uint64_t next_number_ = 1;
  LoopTimer timer_;
};

}  // namespace mayfly::hubd
