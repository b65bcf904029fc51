#include "ingestd/control_watch.h"

namespace mayfly::ingestd {
namespace {

// A wake-up that got lost costs at most so long; the main thread looks once a second anyway.
constexpr std::chrono::minutes kLongest{10};
constexpr std::chrono::milliseconds kAskAgain{2};

}  // namespace

void ControlWatch::watch(std::shared_ptr<shm::ControlReader> reader, std::uint64_t seen_serial) {
  stop();
  reader_ = std::move(reader);
  seen_serial_ = seen_serial;
  told_ = false;
  stopping_ = false;
  ended_ = false;
  thread_ = std::thread([this] { run(); });
}

void ControlWatch::acknowledge(std::uint64_t seen_serial) {
  const std::lock_guard lock(mutex_);
  if (!told_ && seen_serial_ == seen_serial) return;
  seen_serial_ = seen_serial;
  told_ = false;
  changed_.notify_all();
}

void ControlWatch::stop() {
  if (!thread_.joinable()) return;
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    // An interrupt that comes just before the thread falls asleep is lost: ask until it has ended.
    while (!ended_) {
      reader_->interrupt();
      changed_.wait_for(lock, kAskAgain);
    }
  }
  thread_.join();
  reader_.reset();
}

void ControlWatch::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const std::uint64_t seen = seen_serial_;
    lock.unlock();
    reader_->wait(seen, kLongest);
    lock.lock();
    if (stopping_) break;
    told_ = true;
    uv_async_send(wake_);
    changed_.wait(lock, [this] { return stopping_ || !told_; });
  }
  ended_ = true;
  changed_.notify_all();
}

}  // namespace mayfly::ingestd
