// The control segment that is attached now, shared by the main thread (which moves over to a new
// one) and the workers (which ask it after every batch whether a reader waits).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "shm/control.h"

namespace mayfly::ingestd {

/// Thread-safe.
class ControlHandle {
 public:
  std::shared_ptr<shm::ControlReader> get() const {
    const std::lock_guard lock(mutex_);
    return reader_;
  }
  void set(std::shared_ptr<shm::ControlReader> reader) {
    const std::lock_guard lock(mutex_);
    reader_ = std::move(reader);
    version_.fetch_add(1, std::memory_order_release);
  }
  /// Changes with every set().
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<shm::ControlReader> reader_;
  std::atomic<std::uint64_t> version_{0};
};

/// One worker's view of a ControlHandle: no lock while nothing changes. Not thread-safe.
class ControlView {
 public:
  explicit ControlView(const ControlHandle& handle) : handle_(handle) {}
  /// True when somebody waits for news of the data segment.
  bool reader_waits() {
    const std::uint64_t version = handle_.version();
    if (version != seen_) {
      reader_ = handle_.get();
      seen_ = version;
    }
    return reader_ != nullptr && reader_->waiting();
  }

 private:
  const ControlHandle& handle_;
  std::shared_ptr<shm::ControlReader> reader_;
  std::uint64_t seen_ = 0;
};

}  // namespace mayfly::ingestd
