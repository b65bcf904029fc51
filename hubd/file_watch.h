// Notices changes of a configuration file and of its drop-ins.
//
// The directories are watched, not the file, since editors replace it. News of a directory only
// lead to a look at the files themselves (identity, size, times), and a change counts once two
// looks in a row have seen the same, so that a file is not read while it is being written.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/loop_timer.h"

namespace mayfly::hubd {

/// Belongs to the loop's thread; the loop must run once more after the destruction.
class FileWatch {
 public:
  /// Watches FILE and FILE.d/*.yaml. `changed` is called on the loop, within about 100 ms of a change
  /// that is complete, and at most half a second after the first sign of one that goes on.
  FileWatch(uv_loop_t* loop, std::string file, std::function<void()> changed);
  ~FileWatch();

  /// False where the kernel gives no news: changes are then looked for twice a second.
  bool has_news() const { return !watches_.empty(); }

 private:
  struct Watch;

  std::string signature() const;
  void watch_directories();
  void on_news();
  void look();

  uv_loop_t* loop_;
  std::string file_;
  std::function<void()> changed_;
  std::vector<Watch*> watches_;  // each is freed when the loop has closed it
  LoopTimer settle_;
  LoopTimer fallback_;
  std::string seen_;     // at the last look
  std::string counted_;  // when changed_ was last called
  bool looking_ = false;
  unsigned looks_ = 0;  // since the news
};

}  // namespace mayfly::hubd
