// Long work in short slices on the loop, so that nobody else waits for it.
#pragma once

#include <uv.h>

#include <deque>
#include <functional>

namespace mayfly::relayd {

/// Runs tasks in turn, about a millisecond a turn of the loop, and lets it sleep when none is left.
/// Belongs to the loop's thread; the loop runs once more after the destruction.
class SliceRunner {
 public:
  /// One slice, well below a millisecond. True: there is more to do.
  using Task = std::function<bool()>;

  explicit SliceRunner(uv_loop_t* loop);
  ~SliceRunner();
  SliceRunner(const SliceRunner&) = delete;
  SliceRunner& operator=(const SliceRunner&) = delete;

  /// Adds a task; its first slice runs on a later turn of the loop. Tasks may add tasks.
  void add(Task task);

 private:
  struct Handle {
    uv_idle_t idle;
    SliceRunner* runner;
  };
  static void on_idle(uv_idle_t* idle);
  void run();

  Handle* handle_;  // deletes itself when the loop has closed it
  std::deque<Task> tasks_;
};

}  // namespace mayfly::relayd
