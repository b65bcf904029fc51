// Clients that mean no good, against a whole `mayfly up` with its default limits: what they cost others.
// Every figure is printed with its target; the exit code is 1 where one was missed.
//
// MAYFLY_BENCH_CLIENTS (10000 slow writers), MAYFLY_BENCH_SECONDS (5, of each measurement),
// MAYFLY_BENCH_ROUNDS (3). MAYFLY_BENCH_ONLY: one of slow, leave, stay, tails, hash, storm, greedy.
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "bench/hostile_flood.h"
#include "bench/hostile_keys.h"
#include "bench/hostile_stack.h"
#include "bench/hostile_tails.h"

namespace {

using namespace mayfly::bench;  // NOLINT(google-build-using-namespace): a program of one file

constexpr double kMiB = 1 << 20;
constexpr std::size_t kHeldConnections = 3000;
constexpr double kTimesBare = 2;
// ingestd beside its segments (docs/architecture.md, Memory): buffers, 8 KiB a connection.
constexpr double kMaxBuffered = 64 * kMiB;
constexpr double kPerConnection = 8192;
constexpr std::string_view kDirectories =
    "  - {kind: log, name: quiet, reserve: 1MiB}\n"
    "  - {kind: log, name: slow, max_keys: 100000, max_total_bytes: 32MiB}\n"
    "  - {kind: log, name: busy, max_total_bytes: 64MiB, max_events_per_key: 1000000, max_bytes_per_key: "
    "64MiB}\n"
    "  - {kind: log, pattern: \"*\", max_directories: 64}\n";

std::size_t setting(const char* name, std::size_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// The table that is printed at the end.
class Figures {
 public:
  void add(const std::string& what, const std::string& measured, const std::string& target, bool met) {
    lines_.push_back(what + std::string(what.size() < 58 ? 58 - what.size() : 1, ' ') + "  " + measured +
                     "  (" + target + ")  " + (met ? "ok" : "MISSED"));
    std::printf("  %s\n", lines_.back().c_str());
    std::fflush(stdout);
    all_met_ = all_met_ && met;
  }
  void must(const std::string& what, bool holds) { add(what, holds ? "yes" : "no", "yes", holds); }
  void at_most(const std::string& what, double value, double limit, const char* unit) {
    char measured[64];
    char target[64];
    std::snprintf(measured, sizeof measured, "%.1f %s", value, unit);
    std::snprintf(target, sizeof target, "at most %.1f", limit);
    add(what, measured, target, value <= limit);
  }
  bool print() const {
    std::printf("\n");
    for (const std::string& line : lines_) std::printf("%s\n", line.c_str());
    return all_met_;
  }

 private:
  std::vector<std::string> lines_;
  bool all_met_ = true;
};

double p99_ms(const Probe& probe) { return static_cast<double>(probe.durations.percentile_ns(0.99)) / 1e6; }

using Flood = std::function<void(std::uint16_t port, FloodCounts& counts, const std::atomic<bool>& stop)>;

struct Compared {
  Probe ours{"Mayfly: connect, LOG, PONG"};
  Probe bare{"bare server: connect, closed"};
  FloodCounts our_flood;
  FloodCounts bare_flood;
};

/// The same flood at both servers, in turn; a well-behaved client of each meanwhile.
void compare(const HostileStack& stack, const Flood& flood, Compared& compared) {
  const auto seconds = static_cast<double>(setting("MAYFLY_BENCH_SECONDS", 5));
  const std::uint16_t port = stack.port("ingest");
  std::uint64_t number = 0;
  for (std::size_t round = 0; round < setting("MAYFLY_BENCH_ROUNDS", 3); ++round) {
    {
      const Background attack([&](const auto& stop) { flood(port, compared.our_flood, stop); });
      ask_for(seconds, compared.ours, [&] { return log_once(port, "quiet", ++number); });
    }
    const BareServer bare;
    const Background attack([&](const auto& stop) { flood(bare.port(), compared.bare_flood, stop); });
    ask_for(seconds, compared.bare, [&] { return be_closed_once(bare.port()); });
  }
  compared.ours.durations.print();
  compared.bare.durations.print();
}

void judge(Figures& figures, const std::string& name, const Compared& compared) {
  std::printf("  connections of the flood: %llu at Mayfly, %llu at the bare server\n",
              static_cast<unsigned long long>(compared.our_flood.connects),
              static_cast<unsigned long long>(compared.bare_flood.connects));
  figures.at_most(name + ": p99 of a well-behaved client", p99_ms(compared.ours),
                  kTimesBare * p99_ms(compared.bare), "ms");
  figures.at_most(name + ": its failures", static_cast<double>(compared.ours.failed), 0, "");
}

void judge_memory(Figures& figures, const std::string& name, const HostileStack& stack, std::uint64_t before,
                  std::size_t connections) {
  const auto now = static_cast<double>(stack.own_memory("ingestd"));
  figures.at_most(
      name + ": ingestd beside its segments", now / kMiB,
      (static_cast<double>(before) + kMaxBuffered + kPerConnection * static_cast<double>(connections)) / kMiB,
      "MiB");
  figures.must(name + ": nobody died", stack.all_alive());
}

void slow_writers(Figures& figures) {
  const std::size_t count = setting("MAYFLY_BENCH_CLIENTS", 10'000);
  std::printf("== %zu slow writers, a byte at a time\n", count);
  const HostileStack stack("64MiB", std::string(kDirectories));
  const std::uint64_t before = stack.own_memory("ingestd");
  const auto command = [](std::size_t i) { return "LOG slow k" + std::to_string(i) + " v"; };
  FloodCounts counts;
  std::uint64_t most = 0;
  {
    const Background sampler([&](const auto& stop) {
      for (; !stop.load(); usleep(50'000)) most = std::max(most, stack.own_memory("ingestd"));
    });
    const std::atomic<bool> never{false};
    write_slowly(stack.port("ingest"), count, command, 300, /*once=*/true, counts, never);
  }
  const auto slow = stack.directory("slow");
  const double stored = slow.is_object() ? slow.at("stored").get<double>() : 0;
  figures.must("slow writers: every record is there", stored == static_cast<double>(count));
  figures.at_most(
      "slow writers: ingestd beside its segments, at most", static_cast<double>(most) / kMiB,
      (static_cast<double>(before) + kMaxBuffered + kPerConnection * static_cast<double>(count)) / kMiB,
      "MiB");
  Compared compared;
  compare(
      stack,
      [&](std::uint16_t port, FloodCounts& flood, const auto& stop) {
        const std::string endless(1000, 'x');
        write_slowly(
            port, count, [&](std::size_t i) { return command(i) + endless; }, 300, false, flood, stop);
      },
      compared);
  judge(figures, "slow writers", compared);
  figures.must("slow writers: nobody died", stack.all_alive());
}

void floods(Figures& figures, bool leave) {
  const std::string name = leave ? "connect and leave" : "connect and stay";
  std::printf("== %s, as fast as it goes\n", name.c_str());
  const HostileStack stack("64MiB", std::string(kDirectories));
  const std::uint64_t before = stack.own_memory("ingestd");
  Compared compared;
  compare(
      stack,
      [&](std::uint16_t port, FloodCounts& counts, const auto& stop) {
        if (leave) return connect_and_leave(port, counts, stop);
        connect_and_stay(port, kHeldConnections, counts, stop);
      },
      compared);
  judge(figures, name, compared);
  judge_memory(figures, name, stack, before, leave ? 1000 : kHeldConnections);
  const auto quiet = stack.directory("quiet");
  const double logged = static_cast<double>(compared.ours.durations.count() - compared.ours.failed);
  figures.must(
      name + ": the well-behaved client's records are there",
      quiet.is_object() && quiet.at("stored").get<double>() >= logged && quiet.at("dropped").empty());
}

void tails(Figures& figures) {
  constexpr std::size_t kTails = 1000;
  std::printf("== %zu tails that never read\n", kTails);
  const HostileStack stack("128MiB", std::string(kDirectories));
  const TailsOutcome outcome =
      run_tails(stack, kTails, static_cast<double>(setting("MAYFLY_BENCH_SECONDS", 5)));
  std::printf("  %zu of them open, %llu records written\n", outcome.open,
              static_cast<unsigned long long>(outcome.written));
  outcome.reads.durations.print();
  figures.at_most("tails: relayd's own memory for each", outcome.bytes_per_tail / 1024,
                  outcome.limit_per_tail / 1024, "KiB");
  figures.must("tails: one that reads gets every record",
               outcome.seen == outcome.written && outcome.gaps == 0);
  figures.at_most("tails: other reads that failed", static_cast<double>(outcome.reads.failed), 0, "");
  figures.must("tails: nobody died", stack.all_alive());
}

void hash_flooding(Figures& figures) {
  std::printf("== keys that are meant to collide\n");
  const KeysOutcome outcome = run_keys();
  std::printf(
      "  ns a record: any keys %.0f, colliding without a seed %.0f, colliding under the segment's own seed "
      "%.0f "
      "(stored %zu of %zu)\n",
      outcome.any_ns, outcome.colliding_ns, outcome.known_seed_ns, outcome.known_seed_stored, outcome.keys);
  figures.at_most("hash flooding: cost against any keys", outcome.colliding_ns / outcome.any_ns, 1.25,
                  "times");
  figures.must("hash flooding: all are stored", outcome.colliding_stored == outcome.keys);
  figures.must("hash flooding: with the seed known it would show",
               outcome.known_seed_stored < outcome.keys || outcome.known_seed_ns > 2 * outcome.any_ns);
}

/// Writes to `directories` names in turn until told to stop.
void write_everywhere(std::uint16_t port, std::size_t directories, std::size_t value_bytes,
                      const std::atomic<bool>& stop) {
  const std::string value(value_bytes, 'g');
  const int fd = connect_to(port);
  for (std::uint64_t i = 0; fd >= 0 && !stop.load(); ++i) {
    std::string batch;
    for (int n = 0; n < 100; ++n) {
      batch += "LOG dir-" + std::to_string((i * 100 + n) % directories) + " k" + std::to_string(i % 50) +
               " " + value + "\n";
    }
    if (send(fd, batch.data(), batch.size(), MSG_NOSIGNAL) < 0) break;
  }
  if (fd >= 0) drop(fd);
}

/// Logs to "quiet", `bytes` in all, then makes sure that all of it is there still.
void judge_quiet(Figures& figures, const std::string& name, const HostileStack& stack, std::uint64_t logged) {
  const auto quiet = stack.directory("quiet");
  const bool whole = quiet.is_object() && quiet.at("stored").get<std::uint64_t>() == logged &&
                     quiet.at("records").get<std::uint64_t>() == logged && quiet.at("dropped").empty() &&
                     quiet.at("evicted").empty();
  figures.must(name + ": the quiet directory loses nothing of " + std::to_string(logged), whole);
  if (!whole) std::printf("  %s\n", quiet.dump().c_str());
}

void storm(Figures& figures) {
  std::printf("== directories that come and go\n");
  HostileStack stack("64MiB", std::string(kDirectories));
  Probe probe("Mayfly: connect, LOG, PONG");
  std::uint64_t number = 0;
  {
    // Names without end, most of them refused; and rules that change ten times a second.
    const Background names([&](const auto& stop) { write_everywhere(stack.port("ingest"), 5000, 50, stop); });
    const Background rules([&](const auto& stop) {
      for (int i = 0; !stop.load(); ++i, usleep(100'000)) {
        std::string more;
        for (int n = 0; n < 200; ++n)
          more += "  - {kind: log, name: dir-" + std::to_string(n + (i % 2) * 100) + "}\n";
        stack.set_directories(std::string(kDirectories) + more);
      }
    });
    ask_for(2.0 * static_cast<double>(setting("MAYFLY_BENCH_SECONDS", 5)), probe,
            [&] { return log_once(stack.port("ingest"), "quiet", ++number); });
  }
  probe.durations.print();
  figures.at_most("storm: a well-behaved client's failures", static_cast<double>(probe.failed), 0, "");
  judge_quiet(figures, "storm", stack, number);
  figures.must("storm: nobody died", stack.all_alive());
}

void greedy(Figures& figures) {
  std::printf("== greedy directories beside a quiet one inside its reserve\n");
  const std::string greedy_ones =
      "  - {kind: log, pattern: \"*\", max_directories: 64, max_total_bytes: 1GiB, max_events_per_key: "
      "100000000, "
      "max_bytes_per_key: 1GiB, max_value_bytes: 64KiB}\n";
  HostileStack stack("16MiB", "  - {kind: log, name: quiet, reserve: 1MiB}\n" + greedy_ones);
  Probe probe("Mayfly: connect, LOG, PONG");
  std::uint64_t number = 0;
  {
    const Background one([&](const auto& stop) { write_everywhere(stack.port("ingest"), 20, 100, stop); });
    const Background two([&](const auto& stop) { write_everywhere(stack.port("ingest"), 20, 8000, stop); });
    ask_for(2.0 * static_cast<double>(setting("MAYFLY_BENCH_SECONDS", 5)), probe,
            [&] { return number >= 2000 || log_once(stack.port("ingest"), "quiet", ++number); });
  }
  probe.durations.print();
  figures.must("greedy: the segment was full", stack.metric("mayfly_segment_free_bytes") < 2 * kMiB);
  judge_quiet(figures, "greedy", stack, number);
  figures.must("greedy: nobody died", stack.all_alive());
}

bool run() {
  const std::uint64_t files = raise_open_files();
  std::printf("open files: %llu\n", static_cast<unsigned long long>(files));
  Figures figures;
  const char* only = std::getenv("MAYFLY_BENCH_ONLY");
  const auto wanted = [only](std::string_view name) { return only == nullptr || name == only; };
  if (wanted("slow")) slow_writers(figures);
  if (wanted("leave")) floods(figures, true);
  if (wanted("stay")) floods(figures, false);
  if (wanted("tails")) tails(figures);
  if (wanted("hash")) hash_flooding(figures);
  if (wanted("storm")) storm(figures);
  if (wanted("greedy")) greedy(figures);
  return figures.print();
}

}  // namespace

int main() {
  signal(SIGPIPE, SIG_IGN);
  try {
    return run() ? 0 : 1;
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "hostile clients: %s\n", failure.what());
    return 1;
  }
}
