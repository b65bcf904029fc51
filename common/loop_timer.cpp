#include "common/loop_timer.h"

#include <utility>

namespace mayfly {

struct LoopTimer::Handle {
  uv_timer_t timer;
  std::function<void()> callback;
};

LoopTimer::LoopTimer(uv_loop_t* loop, std::function<void()> callback)
    : handle_(new Handle{{}, std::move(callback)}) {
  uv_timer_init(loop, &handle_->timer);
  handle_->timer.data = handle_;
}

LoopTimer::~LoopTimer() {
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->timer),
           [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); });
}

void LoopTimer::start(std::chrono::milliseconds delay, std::chrono::milliseconds repeat) {
  uv_update_time(handle_->timer.loop);
  uv_timer_start(
      &handle_->timer, [](uv_timer_t* timer) { static_cast<Handle*>(timer->data)->callback(); },
      static_cast<std::uint64_t>(delay.count()), static_cast<std::uint64_t>(repeat.count()));
}

void LoopTimer::stop() { uv_timer_stop(&handle_->timer); }

}  // namespace mayfly
