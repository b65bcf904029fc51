#include "hubd/turns.h"

#include <utility>

namespace mayfly::hubd {

bool Turns::take(Start start) {
  if (state_->running >= state_->at_once && state_->queue.size() >= state_->waiting) return false;
  state_->queue.push_back(std::move(start));
  start_next(state_);
  return true;
}

void Turns::start_next(const std::shared_ptr<State>& state) {
  while (state->running < state->at_once && !state->queue.empty()) {
    const Start start = std::move(state->queue.front());
    state->queue.pop_front();
    ++state->running;
    // The pointer itself means nothing, but must not be null.
    start(Turn(state.get(), [weak = std::weak_ptr<State>(state)](void*) {
      const auto self = weak.lock();
      if (!self) return;
      --self->running;
      start_next(self);
    }));
  }
}

}  // namespace mayfly::hubd
