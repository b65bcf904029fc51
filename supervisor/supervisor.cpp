#include "supervisor/supervisor.h"

#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "supervisor/takeover.h"

namespace mayfly::supervisor {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds kServingPoll{10};
constexpr milliseconds kLate{1000};  // a timer later than this: we were stopped or starved ourselves

}  // namespace

Supervisor::Supervisor(const UpOptions& options, Parts parts)
    : options_(options), parts_(std::move(parts)), events_(options.json) {
  if (uv_loop_init(&loop_) != 0) throw std::runtime_error("no event loop to be had");
  uv_timer_init(&loop_, &timer_);
  uv_poll_init(&loop_, &notify_poll_, parts_.notify.fd());
  timer_.data = this;
  notify_poll_.data = this;
  for (auto& program : parts_.programs) children_.emplace_back(std::move(program), options_);
  hangup_stops_ = ::isatty(STDIN_FILENO) == 1;
}

Supervisor::~Supervisor() {
  signals_.reset();
  if (demo_) demo_->stop();
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&notify_poll_), nullptr);
  uv_run(&loop_, UV_RUN_DEFAULT);
  uv_loop_close(&loop_);
}

int Supervisor::run() {
  auto trap = SignalTrap::start(&loop_, {SIGTERM, SIGINT, SIGHUP, SIGCHLD}, [this](int n) { on_signal(n); });
  if (!trap) {
    spdlog::error("{}", trap.error().text);
    return kExitFailed;
  }
  signals_ = std::move(trap.value());
  uv_poll_start(&notify_poll_, UV_READABLE,
                [](uv_poll_t* poll, int, int) { static_cast<Supervisor*>(poll->data)->step(); });
  if (!start_all()) begin_stop(kExitFailed);
  step();
  uv_run(&loop_, UV_RUN_DEFAULT);
  return exit_code_;
}

bool Supervisor::start_all() {
  const auto now = steady_clock::now();
  start_deadline_ = now + 2 * options_.start_limit;
  if (const auto interval = parts_.own_notifier.watchdog_interval()) own_watchdog_due_ = now;
  for (auto& child : children_) {
    if (auto started = child.start(now); !started) {
      spdlog::error("{}", started.error().text);
      return false;
    }
  }
  write_info();
  return true;
}

void Supervisor::on_signal(int number) {
  if (number == SIGTERM || number == SIGINT || (number == SIGHUP && hangup_stops_)) {
    if (kill_at_) kill_at_ = steady_clock::now();  // asked twice: no more patience
    begin_stop(kExitOk);
  } else if (number == SIGHUP) {
    // "Read your files again": the hub alone does that. The others would die of it.
    for (const auto& child : children_) {
      if (child.name() == "hubd" && child.ready()) child.signal(SIGHUP);
    }
  }
  step();
}

void Supervisor::step() {
  const auto now = steady_clock::now();
  excuse_silence_while_we_slept(now);
  read_notifications(now);
  collect_ended(now);
  if (!kill_at_) replace_hanging(now);
  if (!kill_at_) restart_due(now);
  if (!kill_at_ && !announced_) announce_when_ready(now);
  if (kill_at_) continue_stop(now);
  feed_own_watchdog(now);
  arm_timer(steady_clock::now());
}

void Supervisor::excuse_silence_while_we_slept(TimePoint now) {
  if (timer_due_ && now - *timer_due_ > kLate) {
    for (auto& child : children_) child.excuse(now);
  }
}

void Supervisor::read_notifications(TimePoint now) {
  while (const auto notification = parts_.notify.receive()) {
    for (auto& child : children_) {
      if (child.alive() && child.pid() == notification->pid) child.notified(*notification, now);
    }
  }
}

void Supervisor::collect_ended(TimePoint now) {
  for (auto& child : children_) {
    const pid_t pid = child.pid();
    const auto ending = child.reap();
    if (!ending || kill_at_) continue;
    if (!announced_ && !ending->signalled && ending->number != 0) {
      // It has said why; another try would say the same.
      spdlog::error("{} could not start ({})", child.name(), ending_text(*ending));
      begin_stop(ending->number == kExitUsage ? kExitUsage : kExitFailed);
      continue;
    }
    const auto delay = child.plan_restart(now);
    write_info();
    events_.exited(child.name(), pid, *ending, delay);
  }
}

void Supervisor::replace_hanging(TimePoint now) {
  for (auto& child : children_) {
    const auto health = child.health(now);
    if (health == Child::Health::fine) continue;
    spdlog::warn("{} ({}) {}; killing it", child.name(), child.pid(),
                 health == Child::Health::silent ? "gives no sign of life" : "does not get ready");
    child.signal(SIGKILL);
    child.excuse(now);
  }
}

void Supervisor::restart_due(TimePoint now) {
  for (auto& child : children_) {
    if (!child.start_due(now)) continue;
    if (auto started = child.start(now); !started) {
      const auto delay = child.plan_restart(now);
      spdlog::error("{}; trying again in {} ms", started.error().text, delay.count());
      continue;
    }
    write_info();
    events_.started(child.name(), child.pid());
  }
}

void Supervisor::announce_when_ready(TimePoint now) {
  const bool all_ready =
      std::all_of(children_.begin(), children_.end(), [](const Child& c) { return c.ready(); });
  if (!all_ready) {
    if (now < start_deadline_) return;
    for (const auto& child : children_) {
      if (!child.ready()) spdlog::error("{} did not get ready", child.name());
    }
    begin_stop(kExitFailed);
    return;
  }
  if (!all_ready_at_) all_ready_at_ = now;
  if (quotas_in_force()) {
    announce();
  } else if (now - *all_ready_at_ >= options_.serving_wait) {
    spdlog::warn("no quotas from a hub yet: writers are told -STOP until there are");
    announce();
  }
}

bool Supervisor::quotas_in_force() {
  if (!reader_ || reader_->replaced()) {
    reader_.reset();
    auto opened = shm::Reader::open(parts_.paths.data);
    if (!opened) return false;
    reader_.emplace(std::move(opened.value()));
  }
  return reader_->info().serving;
}

void Supervisor::announce() {
  announced_ = true;
  reader_.reset();
  write_info();
  events_.ready(parts_.info);
  parts_.own_notifier.ready();
  if (options_.demo) {
    demo_ = std::make_unique<DemoWriter>(&loop_, parts_.paths.ingest_socket);
    demo_->start();
  }
}

void Supervisor::feed_own_watchdog(TimePoint now) {
  if (!own_watchdog_due_ || now < *own_watchdog_due_) return;
  parts_.own_notifier.watchdog();
  own_watchdog_due_ = now + *parts_.own_notifier.watchdog_interval();
}

void Supervisor::begin_stop(int exit_code) {
  if (kill_at_) return;
  exit_code_ = exit_code;
  kill_at_ = steady_clock::now() + options_.stop_limit;
  events_.stopping();
  parts_.own_notifier.stopping();
  parts_.lock.announce_stop();
  if (demo_) demo_->stop();
  for (const auto& child : children_) child.signal(SIGTERM);
}

void Supervisor::continue_stop(TimePoint now) {
  collect_ended(now);
  if (std::none_of(children_.begin(), children_.end(), [](const Child& c) { return c.alive(); })) {
    uv_stop(&loop_);
    return;
  }
  if (now < *kill_at_) return;
  for (const auto& child : children_) child.signal(SIGKILL);
  kill_at_ = now + options_.stop_limit;
}

void Supervisor::write_info() {
  auto& info = parts_.info;
  info["time"] = make_event("ready")["time"];
  info["pids"] = nlohmann::ordered_json::object();
  auto noted = info;
  note_process(noted, "supervisor", ::getpid());
  info["pids"]["supervisor"] = ::getpid();
  for (const auto& child : children_) {
    if (!child.alive()) continue;
    info["pids"][child.name()] = child.pid();
    note_process(noted, child.name(), child.pid());
  }
  if (auto written = write_runtime_info(parts_.paths.directory, noted); !written) {
    spdlog::warn("{}", written.error().text);
  }
}

std::optional<Supervisor::TimePoint> Supervisor::next_deadline() const {
  std::optional<TimePoint> next;
  const auto consider = [&next](const std::optional<TimePoint>& due) {
    if (due && (!next || *due < *next)) next = due;
  };
  if (kill_at_) {
    consider(kill_at_);
  } else {
    for (const auto& child : children_) consider(child.next_deadline());
    if (!announced_) consider(all_ready_at_ ? steady_clock::now() + kServingPoll : start_deadline_);
  }
  consider(own_watchdog_due_);
  return next;
}

void Supervisor::arm_timer(TimePoint now) {
  timer_due_ = next_deadline();
  if (!timer_due_) {
    uv_timer_stop(&timer_);
    return;
  }
  uv_update_time(&loop_);
  // Rounded up: a timer that is early by a fraction would spin.
  const auto wait =
      std::max(duration_cast<milliseconds>(*timer_due_ - now) + milliseconds(1), milliseconds(0));
  uv_timer_start(
      &timer_, [](uv_timer_t* timer) { static_cast<Supervisor*>(timer->data)->step(); },
      static_cast<std::uint64_t>(wait.count()), 0);
}

}  // namespace mayfly::supervisor
