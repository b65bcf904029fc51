// How long after write() on its socket a record is seen by a reader in another process, through the
// real ingestd on an idle host. Back to back: the next record is written as soon as the last one was
// seen, ingestd on one core and the writing and reading program on another. Then one record every
// 500 us, for two readers, one at a time: one that looks without pause (the command line polls), and
// one that sleeps until woken (as relayd does).
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
constexpr std::uint64_t kBackToBack = 50'000;
constexpr std::uint64_t kWarmUp = 1000;
constexpr long kPauseNs = 500'000;
constexpr std::uint64_t kPatienceNs = 30'000'000'000;

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

void pin_to(std::size_t core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) mayfly::bench::give_up("there are fewer than two cores");
}

/// Waits until the directory has a record after `cursor`, and reads it.
void await_record(shm::Reader& reader, const shm::DirectoryInfo& directory, shm::Cursor& cursor) {
  const std::uint64_t end = mono_ns() + kPatienceNs;
  const auto was = cursor.next_seq;
  std::uint64_t seen = 0;
  const shm::RecordSink sink = [](const shm::RecordView&) { return true; };
  while (cursor.next_seq == was) {
    const auto generation = reader.generation(directory.id);
    if (generation != seen) {
      reader.read(directory, cursor, {}, sink);
      seen = generation;
    } else if (mono_ns() > end) {
      mayfly::bench::give_up("a record was not seen within 30 s");
    }
  }
}

Durations measure_back_to_back(Host& host, const std::string& name) {
  Durations latency(name);
  const int fd = host.connect_client();
  mayfly::bench::send_all(fd, "LOG latency key first\n");
  auto reader = host.reader();
  std::optional<shm::DirectoryInfo> directory;
  for (const std::uint64_t end = mono_ns() + kPatienceNs; !directory || directory->stored == 0;) {
    directory = reader.find("latency");
    if (mono_ns() > end) mayfly::bench::give_up("the directory was not opened within 30 s");
  }
  shm::Cursor cursor;
  cursor.next_seq = directory->next_seq;
  for (std::uint64_t i = 0; i < kBackToBack; ++i) {
    const std::uint64_t begin = mono_ns();
    mayfly::bench::send_all(fd, "LOG latency key back-to-back\n");
    await_record(reader, *directory, cursor);
    if (i >= kWarmUp) latency.add_ns(mono_ns() - begin);
  }
  close(fd);
  return latency;
}

/// ingestd on one core, this program on the other.
void run_back_to_back(const std::string& name) {
  cpu_set_t all;
  sched_getaffinity(0, sizeof all, &all);
  pin_to(1);
  Host host(MAYFLY_BUILT_BIN "/ingestd", "64MiB", shm::Quotas{});
  host.start_ingestd();
  host.wait_ready();
  pin_to(0);
  measure_back_to_back(host, name).print();
  sched_setaffinity(0, sizeof all, &all);
}

void run() {
  std::puts("write() to seen by a reader in another process (targets, back to back: p50 20 us, p99 35 us)");
  run_back_to_back("back to back");
  Host host(MAYFLY_BUILT_BIN "/ingestd", "64MiB", shm::Quotas{});
  host.start_ingestd();
  host.wait_ready();
  measure(host, "warm-up", false);
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
