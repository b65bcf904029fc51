// How long after write() on its socket a record is seen by a reader in another process, through the
// real ingestd on an idle host: one record every 500 us. Two readers, one at a time: one that
// looks without pause (the command line polls), and one that sleeps until woken (as relayd does).
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

void run() {
  Host host(MAYFLY_BUILT_BIN "/ingestd", "64MiB", shm::Quotas{});
  host.start_ingestd();
  host.wait_ready();
  std::puts("write() to seen by a reader in another process (target: p50 <= 50 us)");
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
