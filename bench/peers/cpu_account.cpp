#include "bench/peers/cpu_account.h"

#include <dirent.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "bench/scratch.h"

namespace mayfly::bench {

namespace {

std::optional<std::uint64_t> clock_of(pid_t pid) {
  clockid_t clock = 0;
  timespec time{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000ull +
         static_cast<std::uint64_t>(time.tv_nsec);
}

std::uint64_t clock_of_all(const std::vector<pid_t>& pids) {
  std::uint64_t total = 0;
  for (const auto pid : pids) {
    const auto time = clock_of(pid);
    if (!time) give_up("server process " + std::to_string(pid) + " is not there");
    total += *time;
  }
  return total;
}

std::map<pid_t, std::uint64_t> clocks_of_others(const std::vector<pid_t>& servers) {
  std::map<pid_t, std::uint64_t> all;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(opendir("/proc"), closedir);
  while (const dirent* entry = proc ? readdir(proc.get()) : nullptr) {
    const auto pid = static_cast<pid_t>(std::atoi(entry->d_name));
    if (pid <= 0 || pid == getpid() || std::find(servers.begin(), servers.end(), pid) != servers.end())
      continue;
    if (const auto time = clock_of(pid)) all[pid] = *time;
  }
  return all;
}

// Busy and stolen time of all processors, from /proc/stat, whose unit is a tick.
std::pair<std::uint64_t, std::uint64_t> machine_times() {
  std::ifstream file("/proc/stat");
  std::string word;
  std::uint64_t user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0, steal = 0;
  file >> word >> user >> nice >> system >> idle >> wait >> irq >> soft >> steal;
  const auto tick = 1'000'000'000ull / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
  return {(user + nice + system + irq + soft) * tick, steal * tick};
}

std::uint64_t beyond(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

}  // namespace

CpuAccount::CpuAccount(std::vector<pid_t> servers)
    : servers_(std::move(servers)), others_(clocks_of_others(servers_)) {
  std::tie(busy_, stolen_) = machine_times();
  // The server's clock last, so that what was done here is not part of it.
  self_ = clock_of(getpid()).value_or(0);
  // NOLINTNEXTLINE(cppcoreguidelines-prefer-member-initializer): the order is the point
  server_ = clock_of_all(servers_);
}

CpuUse CpuAccount::use() const {
  CpuUse use;
  use.server = clock_of_all(servers_) - server_;
  use.self = clock_of(getpid()).value_or(0) - self_;
  const auto [busy, stolen] = machine_times();
  for (const auto& [pid, time] : clocks_of_others(servers_)) {
    const auto before = others_.find(pid);
    use.others += before == others_.end() ? time : beyond(time, before->second);
  }
  use.stolen = beyond(stolen, stolen_);
  use.unexplained = beyond(beyond(busy, busy_), use.server + use.self + use.others);
  return use;
}

}  // namespace mayfly::bench
