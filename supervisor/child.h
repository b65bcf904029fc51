// One daemon under supervision: when to start it, when it counts as hanging, when to try again.
// Decides by the times it is given; the supervisor's loop acts. One thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "shm/result.h"
#include "supervisor/events.h"
#include "supervisor/notify.h"
#include "supervisor/options.h"
#include "supervisor/spawn.h"

namespace mayfly::supervisor {

struct Program {
  std::string name;  // "ingestd"
  SpawnRequest request;
};

class Child {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  enum class Health { fine, never_ready, silent };

  Child(Program program, const UpOptions& options) : program_(std::move(program)), options_(options) {}

  const std::string& name() const { return program_.name; }
  bool alive() const { return process_.pid > 0; }
  pid_t pid() const { return process_.pid; }
  bool ready() const { return alive() && ready_; }

  /// Errors: as spawn(). A failed start counts as an exit: plan_restart() is due.
  shm::Status start(TimePoint now);
  /// A message of this process.
  void notified(const Notification& notification, TimePoint now);
  /// Collects the process if it has ended; the child is not alive then.
  std::optional<Ending> reap();
  /// After an end: when start() is due again. At once for the first time in a row, then later and later.
  std::chrono::milliseconds plan_restart(TimePoint now);
  bool start_due(TimePoint now) const { return !alive() && restart_at_ && *restart_at_ <= now; }

  /// Whether a live process still says so within its time.
  Health health(TimePoint now) const;
  /// Counts the silence so far as excused: we were asleep ourselves.
  void excuse(TimePoint now) { last_sign_ = now; }
  /// When start_due() or health() may change by itself; nothing: never.
  std::optional<TimePoint> next_deadline() const;

  /// No effect on a child that is not alive.
  void signal(int number) const;

 private:
  Program program_;
  const UpOptions& options_;
  Spawned process_;
  bool ready_ = false;
  TimePoint started_at_{};
  TimePoint last_sign_{};
  int ends_in_a_row_ = 0;
  std::optional<TimePoint> restart_at_;
};

}  // namespace mayfly::supervisor
