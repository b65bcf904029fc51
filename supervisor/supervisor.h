// The loop of `mayfly up`: keeps the daemons running until told to stop.
#pragma once

#include <uv.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/daemon.h"
#include "common/runtime_dir.h"
#include "shm/reader.h"
#include "supervisor/child.h"
#include "supervisor/demo.h"
#include "supervisor/events.h"
#include "supervisor/lock.h"
#include "supervisor/notify.h"
#include "supervisor/options.h"

namespace mayfly::supervisor {

/// Everything is decided in step(), which each signal, message and timer calls; so the order of
/// things does not depend on which of them came first. One thread.
class Supervisor {
 public:
  struct Parts {
    RuntimePaths paths;
    RuntimeLock lock;
    NotifySocket notify;
    std::vector<Program> programs;
    nlohmann::ordered_json info;  // of make_info()
    Notifier own_notifier;        // towards whoever supervises us
  };

  Supervisor(const UpOptions& options, Parts parts);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Starts everything and runs until it is stopped; the exit code.
  int run();

 private:
  using TimePoint = Child::TimePoint;

  bool start_all();
  void on_signal(int number);
  void step();
  void arm_timer(TimePoint now);
  std::optional<TimePoint> next_deadline() const;

  void excuse_silence_while_we_slept(TimePoint now);
  void read_notifications(TimePoint now);
  void collect_ended(TimePoint now);
  void replace_hanging(TimePoint now);
  void restart_due(TimePoint now);
  void announce_when_ready(TimePoint now);
  void announce();
  bool quotas_in_force();
  void feed_own_watchdog(TimePoint now);

  void begin_stop(int exit_code);
  void continue_stop(TimePoint now);
  void write_info();

  const UpOptions& options_;
  Parts parts_;
  Events events_;
  std::vector<Child> children_;
  uv_loop_t loop_{};
  uv_timer_t timer_{};
  uv_poll_t notify_poll_{};
  std::unique_ptr<SignalTrap> signals_;
  std::unique_ptr<DemoWriter> demo_;
  std::optional<shm::Reader> reader_;  // while quotas are waited for
  std::optional<TimePoint> all_ready_at_;
  TimePoint start_deadline_{};
  std::optional<TimePoint> timer_due_;
  std::optional<TimePoint> own_watchdog_due_;
  std::optional<TimePoint> kill_at_;  // set: stopping
  bool announced_ = false;
  bool hangup_stops_ = false;  // SIGHUP means "the terminal is gone"
  int exit_code_ = 0;
};

}  // namespace mayfly::supervisor
