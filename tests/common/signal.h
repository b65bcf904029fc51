// Waits for something that another thread does.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace mayfly::test {

class Signal {
 public:
  static constexpr std::chrono::seconds kDeadline{20};

  void raise() {
    const std::lock_guard<std::mutex> lock(mutex_);
    raised_ = true;
    changed_.notify_all();
  }
  /// False after the deadline.
  bool wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, kDeadline, [this] { return raised_; });
  }
  bool raised() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return raised_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool raised_ = false;
};

}  // namespace mayfly::test
