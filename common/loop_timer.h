// A libuv timer that can be destroyed at any time.
#pragma once

#include <uv.h>

#include <chrono>
#include <functional>

namespace mayfly {

/// Belongs to the loop's thread; the loop runs once more after the destruction. `callback` may
/// destroy the timer. An active timer keeps the loop alive.
class LoopTimer {
 public:
  LoopTimer(uv_loop_t* loop, std::function<void()> callback);
  ~LoopTimer();
  LoopTimer(const LoopTimer&) = delete;
  LoopTimer& operator=(const LoopTimer&) = delete;

  /// Calls back after `delay`, and then every `repeat` unless that is 0. Replaces an earlier start.
  void start(std::chrono::milliseconds delay, std::chrono::milliseconds repeat = {});
  void stop();

 private:
  struct Handle;
  Handle* handle_;  // deletes itself when the loop has closed it
};

}  // namespace mayfly
