// A thread that sleeps until the segment's writer commits, and then tells the loop.
#pragma once

#include <uv.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "shm/clock.h"

namespace mayfly::relayd {

/// Made and destroyed on the loop's thread; the loop runs once more after the destruction, which
/// waits up to a second for the thread.
///
/// No news is lost: the thread takes the segment's wake word before it tells the loop, and only
/// sleeps on that word once the loop has looked.
class CommitWatcher {
 public:
  /// `on_news` is called on the loop: after commits (the writer has to be asked for wakes), and
  /// once a second while active.
  CommitWatcher(uv_loop_t* loop, std::string path, const shm::Clocks& clocks, std::function<void()> on_news);
  ~CommitWatcher();
  CommitWatcher(const CommitWatcher&) = delete;
  CommitWatcher& operator=(const CommitWatcher&) = delete;

  /// Inactive, the thread sleeps and costs nothing.
  void set_active(bool active);

 private:
  struct Handle {
    uv_async_t async;
    CommitWatcher* watcher;
  };
  static void on_async(uv_async_t* async);
  void run();
  bool tell_loop();

  std::string path_;
  const shm::Clocks& clocks_;
  std::function<void()> on_news_;
  Handle* handle_;  // deletes itself when the loop has closed it
  std::mutex mutex_;
  std::condition_variable changed_;
  bool active_ = false;    // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  bool told_ = false;      // guarded by mutex_: the loop has yet to look
  std::thread thread_;
};

}  // namespace mayfly::relayd
