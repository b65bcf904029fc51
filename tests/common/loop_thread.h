// A libuv loop on a thread of its own, for servers under test.
#pragma once

#include <uv.h>

#include <functional>
#include <future>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace mayfly::test {

/// Runs until the destructor, which then lets every handle close.
class LoopThread {
 public:
  LoopThread() {
    uv_loop_init(&loop_);
    uv_async_init(&loop_, &wake_,
                  [](uv_async_t* wake) { static_cast<LoopThread*>(wake->data)->run_calls(); });
    wake_.data = this;
    thread_ = std::thread([this] { uv_run(&loop_, UV_RUN_DEFAULT); });
  }
  ~LoopThread() {
    call([this] { uv_close(reinterpret_cast<uv_handle_t*>(&wake_), nullptr); });
    thread_.join();
    uv_loop_close(&loop_);
  }
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  /// Runs `function` on the loop and waits for it.
  void call(std::function<void()> function) {
    std::promise<void> done;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      calls_.push_back([&] {
        function();
        done.set_value();
      });
    }
    uv_async_send(&wake_);
    done.get_future().wait();
  }
  uv_loop_t* loop() { return &loop_; }

 private:
  void run_calls() {
    std::vector<std::function<void()>> calls;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      calls.swap(calls_);
    }
    for (const auto& call : calls) call();
  }

  uv_loop_t loop_;
  uv_async_t wake_;
  std::mutex mutex_;
  std::vector<std::function<void()>> calls_;
  std::thread thread_;
};

}  // namespace mayfly::test
