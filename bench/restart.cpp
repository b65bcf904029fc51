// From kill -9 of ingestd, under load and with 1 GiB of touched segment, to the first new commit:
// how long, and what it consists of. MAYFLY_BENCH_ROUNDS (default 100) kills.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "bench/host.h"
#include "bench/timing.h"

namespace {

using mayfly::bench::Durations;
using mayfly::bench::give_up;
using mayfly::bench::Host;
using mayfly::bench::mono_ns;
namespace shm = mayfly::shm;

constexpr std::uint64_t kDirectories = 16;
constexpr std::uint64_t kPatienceNs = 60'000'000'000;

std::string lines(std::uint64_t directory, std::uint64_t count) {
  std::string text;
  for (std::uint64_t i = 0; i < count; ++i) {
    text += "LOG load-" + std::to_string(directory) + " key-" + std::to_string(i % 1024) + " " +
            std::string(200, 'v') + "\n";
  }
  return text;
}

/// Writes until it is killed; reconnects whenever ingestd goes away.
pid_t fork_load(const Host& host) {
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (std::uint64_t directory = 0;; directory = (directory + 1) % kDirectories) {
    const int fd = host.connect_client();
    const std::string text = lines(directory, 2000);
    try {
      for (int i = 0; i < 10; ++i) mayfly::bench::send_all(fd, text);
    } catch (const std::exception&) {  // ingestd was killed, or takes long to come back: again
    }
    close(fd);
  }
}

/// Waits until the load has turned the whole segment over: every page was touched.
void touch_all(const shm::Reader& reader) {
  const std::uint64_t end = mono_ns() + kPatienceNs;
  while (mono_ns() < end) {
    const auto info = reader.info();
    if (info.pages_free * 10 < info.pages_total) return;
    usleep(50'000);
  }
  give_up("the segment did not fill within 60 s");
}

/// A number that grows with every record stored anywhere.
std::uint64_t stored(const shm::Reader& reader) {
  std::uint64_t sum = reader.info().removed_stored;
  for (const auto& directory : reader.directories()) sum += directory.stored;
  return sum;
}

struct Parts {
  Durations start_alone{"start alone: ingestd --version, exec done to end"};
  Durations teardown{"kill to reaped"};
  Durations exec{"fork to exec done"};
  Durations ready{"exec done to READY=1"};
  Durations commit{"exec done to first new commit"};
  Durations whole{"kill to first new commit"};
};

void one_round(Host& host, const shm::Reader& reader, Parts& parts) {
  const std::uint64_t killed = mono_ns();
  parts.teardown.add_ns(host.kill_ingestd());
  const std::uint64_t before = stored(reader);
  const std::uint64_t forked = mono_ns();
  host.start_ingestd();
  const std::uint64_t executed = mono_ns();
  std::uint64_t ready = 0;
  std::uint64_t committed = 0;
  while (ready == 0 || committed == 0) {
    if (ready == 0 && host.is_ready()) ready = mono_ns();
    if (committed == 0 && stored(reader) != before) committed = mono_ns();
    if (mono_ns() - killed > kPatienceNs) give_up("no new commit within 60 s");
    usleep(20);  // this process must not take one of two processors from the one that is measured
  }
  parts.exec.add_ns(executed - forked);
  parts.ready.add_ns(ready - executed);
  parts.commit.add_ns(committed - executed);
  parts.whole.add_ns(committed - killed);
}

void run() {
  const char* wanted = std::getenv("MAYFLY_BENCH_ROUNDS");
  const long rounds = wanted != nullptr ? std::max(1L, std::atol(wanted)) : 100;
  shm::Quotas quotas;
  quotas.max_total_bytes = quotas.max_bytes_per_key = quotas.max_events_per_key = ~0ull;
  Host host(MAYFLY_BUILT_BIN "/ingestd", "1GiB", quotas);
  host.start_ingestd();
  host.wait_ready();
  const pid_t load = fork_load(host);
  const auto reader = host.reader();
  touch_all(reader);
  Parts parts;
  for (long i = 0; i < rounds; ++i) {
    one_round(host, reader, parts);
    parts.start_alone.add_ns(host.start_to_end_ns());
  }
  kill(load, SIGKILL);
  waitpid(load, nullptr, 0);
  std::puts(
      "kill -9 of ingestd under load, 1 GiB touched (target beyond the start: p50 <= 1 ms, p99 <= 10 ms)");
  for (const auto* part :
       {&parts.teardown, &parts.exec, &parts.start_alone, &parts.ready, &parts.commit, &parts.whole}) {
    part->print();
  }
  const auto beyond = [&](double share) {
    const double all = static_cast<double>(parts.commit.percentile_ns(share));
    return (all - static_cast<double>(parts.start_alone.percentile_ns(0.5))) / 1000;
  };
  std::printf("first new commit beyond a start alone: p50 %.1f, p99 %.1f us\n", beyond(0.5), beyond(0.99));
}

}  // namespace

int main() {
  try {
    run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_restart: %s\n", error.what());
    return 1;
  }
  return 0;
}
