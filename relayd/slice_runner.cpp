#include "relayd/slice_runner.h"

#include <cstdint>
#include <utility>

namespace mayfly::relayd {
namespace {

constexpr std::uint64_t kTurnNs = 1'000'000;

}  // namespace

SliceRunner::SliceRunner(uv_loop_t* loop) : handle_(new Handle{{}, this}) {
  uv_idle_init(loop, &handle_->idle);
  handle_->idle.data = handle_;
}

SliceRunner::~SliceRunner() {
  handle_->runner = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->idle),
           [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); });
}

void SliceRunner::add(Task task) {
  tasks_.push_back(std::move(task));
  uv_idle_start(&handle_->idle, on_idle);
}

void SliceRunner::on_idle(uv_idle_t* idle) {
  SliceRunner* runner = static_cast<Handle*>(idle->data)->runner;
  if (runner != nullptr) runner->run();
}

void SliceRunner::run() {
  const std::uint64_t end = uv_hrtime() + kTurnNs;
  // Each task has at most one slice a turn, so that one that waits for its reader costs nothing more.
  for (std::size_t left = tasks_.size(); left > 0; --left) {
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    if (task()) tasks_.push_back(std::move(task));
    if (uv_hrtime() >= end) break;
  }
  if (tasks_.empty()) uv_idle_stop(&handle_->idle);
}

}  // namespace mayfly::relayd
