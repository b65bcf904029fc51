#include "hubd/deadlines.h"

#include <vector>

namespace mayfly::hubd {

Deadlines::Deadlines(uv_loop_t* loop) : loop_(loop), timer_(loop, [this] { expire(); }) {}

Deadlines::Key Deadlines::add(std::chrono::milliseconds delay, std::function<void()> call) {
  const Key key{uv_now(loop_) + static_cast<std::uint64_t>(delay.count()), next_number_++};
  calls_.emplace(key, std::move(call));
  rearm();
  return key;
}

void Deadlines::remove(const Key& key) {
  if (calls_.erase(key) != 0) rearm();
}

void Deadlines::expire() {
  armed_for_ = 0;
  const std::uint64_t now = uv_now(loop_);
  // One at a time: a call may remove others that are due as well.
  while (!calls_.empty() && calls_.begin()->first.first <= now) {
    const std::function<void()> call = std::move(calls_.begin()->second);
    calls_.erase(calls_.begin());
    call();
  }
  rearm();
}

void Deadlines::rearm() {
  if (calls_.empty()) {
    armed_for_ = 0;
    return timer_.stop();
  }
  const std::uint64_t first = calls_.begin()->first.first;
  // A timer that comes too early finds nothing and is set anew: cheaper than to follow each removal.
  if (armed_for_ != 0 && armed_for_ <= first) return;
  armed_for_ = first;
  const std::uint64_t now = uv_now(loop_);
  timer_.start(std::chrono::milliseconds(first > now ? first - now : 0));
}

}  // namespace mayfly::hubd
