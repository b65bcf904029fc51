#include "supervisor/child.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>

#include "supervisor/pidfd.h"

namespace mayfly::supervisor {

using std::chrono::milliseconds;

namespace {

constexpr int kMaxDoublings = 16;  // of the back-off, before its maximum is certain

}  // namespace

shm::Status Child::start(TimePoint now) {
  restart_at_.reset();
  ready_ = false;
  started_at_ = now;
  last_sign_ = now;
  auto spawned = spawn(program_.request);
  if (!spawned) return spawned.error();
  process_ = std::move(spawned.value());
  return {};
}

void Child::notified(const Notification& notification, TimePoint now) {
  ready_ |= notification.ready;
  if (notification.ready || notification.watchdog) last_sign_ = now;
}

std::optional<Ending> Child::reap() {
  if (!alive()) return std::nullopt;
  siginfo_t info{};
  if (::waitid(P_PIDFD, static_cast<id_t>(process_.pidfd.get()), &info, WEXITED | WNOHANG) != 0 ||
      info.si_pid == 0) {
    return std::nullopt;
  }
  process_ = Spawned{};
  return Ending{info.si_code != CLD_EXITED, info.si_status};
}

milliseconds Child::plan_restart(TimePoint now) {
  if (ready_ && now - started_at_ >= options_.healthy_after) ends_in_a_row_ = 0;
  milliseconds delay{0};
  if (ends_in_a_row_ > 0) {
    const int doublings = std::min(ends_in_a_row_ - 1, kMaxDoublings);
    delay = std::min(options_.backoff_max, options_.backoff_first * (1 << doublings));
  }
  ++ends_in_a_row_;
  restart_at_ = now + delay;
  return delay;
}

Child::Health Child::health(TimePoint now) const {
  if (!alive()) return Health::fine;
  const auto limit = ready_ ? options_.watchdog : options_.start_limit;
  if (now - last_sign_ < limit) return Health::fine;
  return ready_ ? Health::silent : Health::never_ready;
}

std::optional<Child::TimePoint> Child::next_deadline() const {
  if (alive()) return last_sign_ + (ready_ ? options_.watchdog : options_.start_limit);
  return restart_at_;
}

void Child::signal(int number) const {
  // ESRCH means that it has just ended, which the loop is about to notice.
  if (alive()) signal_process(process_.pidfd, number);
}

}  // namespace mayfly::supervisor
