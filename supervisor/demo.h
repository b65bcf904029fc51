// Sample writers, so that a first look shows something: each second a line of the log directory
// `demo` and a few values of the status directory `demo-status`, all about this machine, through
// the ingest socket like anybody's.
#pragma once

#include <uv.h>

#include <string>

#include "supervisor/fd.h"

namespace mayfly::supervisor {

/// Runs on the supervisor's loop and ends with it. Never blocks: what the socket does not take at
/// once is lost, and a lost connection is made anew with the next second.
class DemoWriter {
 public:
  DemoWriter(uv_loop_t* loop, std::string socket_path);
  ~DemoWriter() = default;
  DemoWriter(const DemoWriter&) = delete;
  DemoWriter& operator=(const DemoWriter&) = delete;

  void start();
  /// Ends the writer; the loop must run once more before it is closed.
  void stop();

 private:
  void tick();
  bool connect();
  uv_timer_t timer_{};
  std::string socket_path_;
  Fd socket_;
  unsigned long long ticks_ = 0;
};

/// The commands of one second. For tests too.
std::string demo_commands(unsigned long long tick);

}  // namespace mayfly::supervisor
