// Kills a writer at a chosen moment, and tells what it had under way.
//
//   aimer SEGMENT WORKERS      then, a line each on standard input, answered by one JSON line:
//
//   kill PID AIM MILLISECONDS  kills PID when AIM is seen, or when the time is over. AIM: `any` (at once),
//   `batch`,
//                              `move`, `quotas`
//   again PARENT MILLISECONDS  waits for PARENT's next child that rolls the segment back, and kills it in the
//   middle
//
// {"pid", "hit": AIM was seen, "found": [...]}: what the dead writer's undo logs were about, read before a
// successor rolled them back; absent if the successor was quicker. WORKERS: threads that take in records;
// the log behind theirs is that of the thread that applies quotas.
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "shm/engine.h"
#include "shm/segment_file.h"
#include "tests/crash/pending.h"

namespace mayfly::shm::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kWrongUsage = 2;
constexpr milliseconds kDeathDeadline{20'000};

class Aimer {
 public:
  Aimer(Mapping mapping, const Geometry& geometry, std::uint32_t workers)
      : mapping_(std::move(mapping)), segment_(mapping_.words(), geometry), workers_(workers) {}

  nlohmann::json kill(pid_t pid, const std::string& aim, milliseconds limit) {
    const auto end = Clock::now() + limit;
    bool hit = aim == "any";
    while (!hit && Clock::now() < end) hit = sees(aim);
    return strike(pid, hit);
  }

  nlohmann::json again(pid_t parent, milliseconds limit) {
    const auto end = Clock::now() + limit;
    const std::vector<PendingLog> logs = pending_logs(segment_);
    if (logs.empty()) return {{"pid", 0}, {"hit", false}};
    const PendingLog& log = logs.back();
    // Roll-back goes from the last change to the first: between the two it is half-way through.
    const auto changed = [&](const UndoPair& pair) {
      return load_acquire(segment_.word_at(pair.offset)) != pair.old_value;
    };
    const auto last = std::find_if(log.pairs.rbegin(), log.pairs.rend(), changed);
    const auto first = std::find_if(log.pairs.begin(), log.pairs.end(), changed);
    if (first == log.pairs.end() || first->offset == last->offset) return {{"pid", 0}, {"hit", false}};
    pid_t child = 0;
    while (child == 0 && Clock::now() < end) child = newest_child(parent);
    bool hit = false;
    while (child != 0 && !hit && Clock::now() < end) {
      hit = !changed(*last);
      if (load_acquire(&segment_.area(log.area).undo_count) == 0) break;
    }
    if (child == 0) return {{"pid", 0}, {"hit", false}};
    nlohmann::json told = strike(child, hit);
    const bool inside = hit && !changed(*last) && changed(*first) &&
                        load_acquire(&segment_.area(log.area).undo_count) == log.pairs.size();
    told["inside_recovery"] = inside;
    return told;
  }

 private:
  bool sees(const std::string& aim) const {
    bool any = false;
    for (std::uint32_t i = 0; i <= workers_ && !any; ++i)
      any = load_acquire(&segment_.area(i).undo_count) != 0;
    if (!any) return false;
    for (const PendingLog& log : pending_logs(segment_)) {
      const std::string found = name_of(log);
      if (found == aim || (aim == "batch" && found != "quotas")) return true;
    }
    return false;
  }

  std::string name_of(const PendingLog& log) const {
    if (log.area >= workers_) return "quotas";
    const std::string kind = kind_of(segment_, log);
    return kind == "evict" || kind == "write" ? "batch" : kind;
  }

  nlohmann::json strike(pid_t pid, bool hit) {
    nlohmann::json told{{"pid", pid}, {"hit", hit}};
    const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    const Word epoch = load_acquire(&segment_.header().state.epoch);
    if (handle < 0 || ::kill(pid, SIGKILL) != 0) {
      told["pid"] = 0;
    } else {
      pollfd dead{handle, POLLIN, 0};
      ::poll(&dead, 1, static_cast<int>(kDeathDeadline.count()));
      told["found"] = nlohmann::json::array();
      for (const PendingLog& log : pending_logs(segment_)) told["found"].push_back(name_of(log));
      if (load_acquire(&segment_.header().state.epoch) != epoch) told.erase("found");
    }
    if (handle >= 0) ::close(handle);
    return told;
  }

  /// The child with the highest number that is an ingestd by now.
  static pid_t newest_child(pid_t parent) {
    const std::string task = std::to_string(parent);
    std::ifstream children("/proc/" + task + "/task/" + task + "/children");
    pid_t newest = 0;
    for (pid_t child = 0; children >> child;) {
      std::string name;
      std::ifstream("/proc/" + std::to_string(child) + "/comm") >> name;
      std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
      std::string text((std::istreambuf_iterator<char>(stat)), {});
      const bool dead = text.find(") Z ") != std::string::npos;
      if (name == "ingestd" && !dead) newest = std::max(newest, child);
    }
    return newest;
  }

  Mapping mapping_;
  Segment segment_;
  std::uint32_t workers_;
};

int run(const char* path, std::uint32_t workers) {
  auto mapping = Mapping::open(path, false, sizeof(Header));
  if (!mapping) {
    std::fprintf(stderr, "aimer: %s\n", mapping.error().text.c_str());
    return 1;
  }
  const auto geometry = check_header(mapping.value().words(), mapping.value().bytes(), kDataMagic);
  if (!geometry) {
    std::fprintf(stderr, "aimer: %s\n", geometry.error().text.c_str());
    return 1;
  }
  Aimer aimer(std::move(mapping.value()), geometry.value(), workers);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    std::string aim;
    pid_t pid = 0;
    std::int64_t limit = 0;
    words >> command >> pid;
    if (command == "kill") words >> aim;
    words >> limit;
    const nlohmann::json told =
        command == "kill" ? aimer.kill(pid, aim, milliseconds(limit)) : aimer.again(pid, milliseconds(limit));
    std::cout << told.dump() << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace mayfly::shm::test

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: aimer SEGMENT WORKERS\n", stderr);
    return mayfly::shm::test::kWrongUsage;
  }
  return mayfly::shm::test::run(argv[1], static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10)));
}
