// How long after write() on its socket a record is seen by a reader in another process, through the
// real ingestd on an idle host. Back to back: one process writes a record, looks without pause until
// it is there, and writes the next; ingestd has a processor of its own. And one record every 500 us,
// with two readers, one at a time: one that looks without pause, and one that sleeps until woken (as
// relayd does).
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <exception>
#include <string>

#include "bench/host.h"
#include "bench/timing.h"

namespace {

using mayfly::bench::Durations;
using mayfly::bench::Host;
using mayfly::bench::mono_ns;
namespace shm = mayfly::shm;

constexpr std::uint64_t kRecords = 5000;
constexpr long kPauseNs = 500'000;
constexpr std::uint64_t kPatienceNs = 30'000'000'000;
constexpr int kRounds = 9;

/// Writes kRecords records whose value is the time of their write().
void write_records(int fd) {
  for (std::uint64_t i = 0; i < kRecords; ++i) {
    mayfly::bench::send_all(fd, "LOG latency key " + std::to_string(mono_ns()) + "\n");
    const timespec pause{0, kPauseNs};
    nanosleep(&pause, nullptr);
  }
}

/// Starts the writer in a process of its own.
pid_t fork_writer(const Host& host) {
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  write_records(host.connect_client());
  _exit(0);
}

Durations measure(Host& host, const std::string& name, bool sleeping) {
  Durations latency(name);
  host.set_waiting(sleeping);
  auto reader = host.reader();
  shm::Cursor cursor;
  // What an earlier measurement left is not news.
  if (const auto directory = reader.find("latency")) cursor.next_seq = directory->next_seq;
  const pid_t writer = fork_writer(host);
  const std::uint64_t end = mono_ns() + kPatienceNs;
  const shm::RecordSink sink = [&](const shm::RecordView& record) {
    std::uint64_t sent = 0;
    std::from_chars(record.value.data(), record.value.data() + record.value.size(), sent);
    latency.add_ns(mono_ns() - sent);
    return true;
  };
  std::optional<shm::DirectoryInfo> directory;
  while (latency.count() < kRecords && mono_ns() < end) {
    const std::uint32_t seen = reader.wake_word();
    if (!directory) directory = reader.find("latency");
    const std::size_t before = latency.count();
    if (directory) reader.read(*directory, cursor, {}, sink);
    if (sleeping && latency.count() == before) reader.wait(seen, std::chrono::milliseconds(100));
  }
  waitpid(writer, nullptr, 0);
  if (latency.count() < kRecords) mayfly::bench::give_up("not all records were seen within 30 s");
  return latency;
}

/// One record after the other, each written when the one before it was seen.
Durations measure_back_to_back(Host& host, const std::string& name) {
  Durations latency(name);
  host.set_waiting(false);
  auto reader = host.reader();
  const int fd = host.connect_client();
  shm::Cursor cursor;
  std::optional<shm::DirectoryInfo> directory = reader.find("latency");
  if (!directory) mayfly::bench::give_up("the directory is not there");
  cursor.next_seq = directory->next_seq;
  const std::uint64_t end = mono_ns() + kPatienceNs;
  const std::string record = "LOG latency key " + std::string(100, 'v') + "\n";
  bool seen = false;
  const shm::RecordSink sink = [&](const shm::RecordView&) { return seen = true; };
  while (latency.count() < kRecords && mono_ns() < end) {
    std::uint64_t generation = reader.generation(directory->id);
    seen = false;
    const std::uint64_t sent = mono_ns();
    mayfly::bench::send_all(fd, record);
    while (!seen && mono_ns() < end) {
      const std::uint64_t now = reader.generation(directory->id);
      if (now == generation) continue;
      generation = now;
      reader.read(*directory, cursor, {}, sink);
    }
    latency.add_ns(mono_ns() - sent);
  }
  close(fd);
  if (latency.count() < kRecords) mayfly::bench::give_up("not all records were seen within 30 s");
  return latency;
}

/// This process, or what it starts from now on, on one processor. Without effect where there is but one.
void stay_on(int processor) {
  if (sysconf(_SC_NPROCESSORS_ONLN) < 2) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  sched_setaffinity(0, sizeof set, &set);
}

void report_back_to_back(Host& host) {
  Durations medians("back to back: p50 of each round");
  Durations tails("back to back: p99 of each round");
  for (int round = 0; round < kRounds; ++round) {
    const Durations one = measure_back_to_back(host, "round");
    medians.add_ns(one.percentile_ns(0.5));
    tails.add_ns(one.percentile_ns(0.99));
  }
  medians.print();
  tails.print();
}

void run() {
  Host host(MAYFLY_BUILT_BIN "/ingestd", "64MiB", shm::Quotas{});
  stay_on(1);
  host.start_ingestd();
  host.wait_ready();
  stay_on(0);
  std::puts(
      "write() to seen by a reader in another process (target back to back: p50 <= 20 us, p99 <= 35 us)");
  measure(host, "warm-up", false);
  report_back_to_back(host);
  measure(host, "reader that looks without pause", false).print();
  measure(host, "reader that sleeps until woken", true).print();
}

}  // namespace

int main() {
  try {
    run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_visible_latency: %s\n", error.what());
    return 1;
  }
  return 0;
}
