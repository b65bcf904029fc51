// A thread that sleeps until the control segment has news, and then pokes the main loop. It makes
// no wake-ups of its own while nothing happens.
#pragma once

#include <uv.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "shm/control.h"

namespace mayfly::ingestd {

class ControlWatch {
 public:
  /// Sends `wake` whenever there may be news. Both must outlive the watch.
  explicit ControlWatch(uv_async_t* wake) : wake_(wake) {}
  ~ControlWatch() { stop(); }
  ControlWatch(const ControlWatch&) = delete;
  ControlWatch& operator=(const ControlWatch&) = delete;

  /// Watches another segment from now on, for anything published after `seen_serial`.
  void watch(std::shared_ptr<shm::ControlReader> reader, std::uint64_t seen_serial);
  /// The news have been looked at, up to that serial: sleep again.
  void acknowledge(std::uint64_t seen_serial);
  void stop();

 private:
  void run();

  uv_async_t* const wake_;
  std::thread thread_;
  std::shared_ptr<shm::ControlReader> reader_;  // not changed while the thread runs
  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::uint64_t seen_serial_ = 0;
  bool told_ = false;
  bool stopping_ = false;
  bool ended_ = false;
};

}  // namespace mayfly::ingestd
