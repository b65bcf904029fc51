// So many at once, so many waiting behind them.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>

namespace mayfly::hubd {

/// Belongs to one loop thread. What waits when it is destroyed never gets its turn.
class Turns {
 public:
  /// Held for as long as the turn lasts; its end, on the loop's thread, gives it to the next one.
  using Turn = std::shared_ptr<void>;
  using Start = std::function<void(Turn turn)>;

  Turns(std::size_t at_once, std::size_t waiting)
      : state_(std::make_shared<State>(State{at_once, waiting, 0, {}})) {}
  ~Turns() { state_->queue.clear(); }
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  /// Calls `start` now or later. False: too many wait; it is not called.
  bool take(Start start);

 private:
  struct State {
    std::size_t at_once;
    std::size_t waiting;
    std::size_t running;
    std::deque<Start> queue;
  };
  static void start_next(const std::shared_ptr<State>& state);
  std::shared_ptr<State> state_;
};

}  // namespace mayfly::hubd
