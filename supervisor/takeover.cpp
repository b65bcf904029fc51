#include "supervisor/takeover.h"

#include <signal.h>
#include <spdlog/spdlog.h>

#include "supervisor/fd.h"
#include "supervisor/pidfd.h"
#include "supervisor/spawn.h"

namespace mayfly::supervisor {

using nlohmann::ordered_json;
using std::chrono::milliseconds;

namespace {

constexpr const char* kPids = "pids";
constexpr const char* kStartTicks = "start_ticks";
constexpr milliseconds kAfterKill{5000};

bool await_process(const std::string& program, pid_t pid, unsigned long long ticks, milliseconds limit) {
  const Fd pidfd = open_process(pid);
  // The pid may be somebody else's by now; asked after open_process, the answer is about the pidfd.
  if (!pidfd || ticks == 0 || start_ticks(pid) != ticks) return true;
  if (ended_within(pidfd, limit)) return true;
  spdlog::warn("{} ({}) has outlived its supervisor; killing it", program, pid);
  signal_process(pidfd, SIGKILL);
  return ended_within(pidfd, kAfterKill);
}

}  // namespace

void note_process(ordered_json& info, const std::string& program, pid_t pid) {
  info[kPids][program] = pid;
  info[kStartTicks][program] = start_ticks(pid);
}

bool await_predecessors(const ordered_json& info, milliseconds limit) {
  const auto pids = info.find(kPids);
  const auto ticks = info.find(kStartTicks);
  if (pids == info.end() || !pids->is_object() || ticks == info.end() || !ticks->is_object()) return true;
  bool all_gone = true;
  for (const auto& [program, pid] : pids->items()) {
    const auto start = ticks->find(program);
    if (!pid.is_number_integer() || start == ticks->end() || !start->is_number_unsigned()) continue;
    const auto number = pid.get<pid_t>();
    if (number > 0) all_gone &= await_process(program, number, start->get<unsigned long long>(), limit);
  }
  return all_gone;
}

}  // namespace mayfly::supervisor
