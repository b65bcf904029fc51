// The engine's share of a restart: a writer with 1 GiB of touched segment is killed in mid-batch; how
// long its successor takes from Writer::open to its first commit. No sockets, no quotas to fetch, no
// program to load. MAYFLY_BENCH_ROUNDS (default 100) kills.
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>

#include "bench/scratch.h"
#include "bench/timing.h"
#include "shm/clock.h"
#include "shm/writer.h"

namespace {

using mayfly::bench::Durations;
using mayfly::bench::give_up;
using mayfly::bench::mono_ns;
namespace shm = mayfly::shm;

constexpr std::uint64_t kBytes = 1ull << 30;
constexpr std::uint64_t kKeys = 100'000;

/// What a successor reports through the pipe.
struct Report {
  std::uint64_t open_ns = 0;
  std::uint64_t commit_ns = 0;
  std::uint64_t rolled_back = 0;
  std::uint64_t undone_words = 0;
};

std::unique_ptr<shm::Writer> open_writer(const std::string& path) {
  shm::WriterOptions options;
  options.path = path;
  options.bytes = kBytes;
  auto opened = shm::Writer::open(options);
  if (!opened.ok()) give_up(opened.error().text);
  return std::move(opened.value());
}

shm::Now now() { return {shm::system_clocks().wall_ns(), shm::system_clocks().boot_ns()}; }

shm::DirectoryId directory_of(shm::Writer& writer) {
  for (const auto& open : writer.directories()) return open.id;
  auto worker = writer.worker(0);
  shm::DirectorySpec spec;
  spec.name = "bench";
  auto& quotas = spec.quotas;
  quotas.max_total_bytes = quotas.max_bytes_per_key = quotas.max_events_per_key = quotas.max_keys = ~0ull;
  const auto id = writer.open_directory(worker, spec, now());
  if (!id.ok()) give_up(id.error().text);
  return id.value();
}

void append_batch(shm::Worker& worker, shm::DirectoryId id, std::uint64_t& count) {
  const std::string value(200, 'v');
  worker.begin(id, now());
  for (std::uint32_t i = 0; i < shm::kMaxBatchRecords; ++i) {
    worker.append("key-" + std::to_string(count++ * 7919 % kKeys), value);
  }
  worker.commit();
}

/// The child's life: open, one commit, report, then write until killed. `fill` bytes before the report.
[[noreturn]] void write_until_killed(const std::string& path, int report_to, std::uint64_t fill) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Report report;
  const std::uint64_t begin = mono_ns();
  auto writer = open_writer(path);
  report.open_ns = mono_ns() - begin;
  const auto id = directory_of(*writer);
  auto worker = writer->worker(0);
  worker.begin(id, now());
  worker.append("first", "record");
  worker.commit();
  report.commit_ns = mono_ns() - begin;
  report.rolled_back = writer->report().rolled_back;
  report.undone_words = writer->report().undone_words;
  std::uint64_t count = static_cast<std::uint64_t>(getpid());
  for (const std::uint64_t end = count + fill / 200; count < end;) append_batch(worker, id, count);
  if (write(report_to, &report, sizeof report) != static_cast<ssize_t>(sizeof report)) _exit(1);
  for (;;) append_batch(worker, id, count);
}

Report start_writer(const std::string& path, std::uint64_t fill, pid_t& child) {
  int ends[2];
  if (pipe(ends) != 0) give_up("no pipe");
  child = fork();
  if (child == 0) {
    try {
      write_until_killed(path, ends[1], fill);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "bench_engine_restart: writer: %s\n", error.what());
      _exit(1);
    }
  }
  close(ends[1]);
  Report report;
  const bool complete = read(ends[0], &report, sizeof report) == static_cast<ssize_t>(sizeof report);
  close(ends[0]);
  if (!complete) give_up("a writer ended before its first commit");
  return report;
}

void run() {
  const char* wanted = getenv("MAYFLY_BENCH_ROUNDS");
  const long rounds = wanted != nullptr ? std::max(1L, strtol(wanted, nullptr, 10)) : 100;
  const mayfly::bench::Scratch scratch;
  Durations teardown("kill to reaped");
  Durations opened("Writer::open");
  Durations committed("Writer::open to first commit");
  long unfinished = 0;
  pid_t child = -1;
  start_writer(scratch.file("data"), kBytes + kBytes / 2, child);
  for (long i = 0; i < rounds; ++i) {
    usleep(static_cast<useconds_t>(1000 + i * 137 % 5000));  // somewhere within the writer's batches
    const std::uint64_t killed = mono_ns();
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    teardown.add_ns(mono_ns() - killed);
    const Report report = start_writer(scratch.file("data"), 0, child);
    opened.add_ns(report.open_ns);
    committed.add_ns(report.commit_ns);
    unfinished += report.rolled_back > 0 ? 1 : 0;
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  std::printf(
      "kill -9 of a writer, 1 GiB touched; %ld of %ld in mid-batch (target: p50 <= 1 ms, p99 <= 10 ms)\n",
      unfinished, rounds);
  for (const auto* part : {&teardown, &opened, &committed}) part->print();
}

}  // namespace

int main() {
  try {
    run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_engine_restart: %s\n", error.what());
    return 1;
  }
  return 0;
}
