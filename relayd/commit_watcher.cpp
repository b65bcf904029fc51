#include "relayd/commit_watcher.h"

#include <chrono>
#include <utility>

#include "relayd/segment_view.h"

namespace mayfly::relayd {
namespace {

constexpr std::chrono::milliseconds kLongestSleep{1000};

}  // namespace

CommitWatcher::CommitWatcher(uv_loop_t* loop, std::string path, const shm::Clocks& clocks,
                             std::function<void()> on_news)
    : path_(std::move(path)), clocks_(clocks), on_news_(std::move(on_news)), handle_(new Handle{{}, this}) {
  uv_async_init(loop, &handle_->async, on_async);
  handle_->async.data = handle_;
  uv_unref(reinterpret_cast<uv_handle_t*>(&handle_->async));
  thread_ = std::thread([this] { run(); });
}

CommitWatcher::~CommitWatcher() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
  handle_->watcher = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->async),
           [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); });
}

void CommitWatcher::set_active(bool active) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    active_ = active;
  }
  changed_.notify_all();
}

void CommitWatcher::on_async(uv_async_t* async) {
  CommitWatcher* self = static_cast<Handle*>(async->data)->watcher;
  if (self == nullptr) return;
  self->on_news_();
  {
    const std::lock_guard<std::mutex> lock(self->mutex_);
    self->told_ = false;
  }
  self->changed_.notify_all();
}

/// False: the thread shall end.
bool CommitWatcher::tell_loop() {
  std::unique_lock<std::mutex> lock(mutex_);
  if (stopping_) return false;
  told_ = true;
  uv_async_send(&handle_->async);
  changed_.wait(lock, [this] { return !told_ || stopping_; });
  return !stopping_;
}

void CommitWatcher::run() {
  SegmentView segment(path_, clocks_);
  for (;;) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return active_ || stopping_; });
      if (stopping_) return;
    }
    const shm::Reader* reader = segment.current();
    if (reader != nullptr) {
      const std::uint32_t word = reader->wake_word();
      if (!tell_loop()) return;
      reader->wait(word, kLongestSleep);
      continue;
    }
    if (!tell_loop()) return;
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, kLongestSleep, [this] { return stopping_; });
  }
}

}  // namespace mayfly::relayd
