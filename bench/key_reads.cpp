// How long a reader in another process takes for the newest 100 records of one key, in a directory at
// default quotas: at rest, and while it is written at full speed. 16 keys, so that each has over 100.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <string>

#include "bench/test_segment.h"
#include "bench/timing.h"

namespace {

using namespace mayfly;  // NOLINT(google-build-using-namespace): a program of one file

constexpr std::size_t kKeys = 16;
constexpr std::uint64_t kNewest = 100;
constexpr std::size_t kReads = 20'000;
constexpr std::uint64_t kMostNs = 20'000'000'000;

void measure(shm::Reader& reader, const shm::DirectoryInfo& directory, const bench::Records& load,
             const std::string& name) {
  bench::Durations took(name);
  std::uint64_t short_ones = 0;
  const auto end = bench::mono_ns() + kMostNs;
  for (std::size_t i = 0; i < kReads && bench::mono_ns() < end; ++i) {
    const auto begin = bench::mono_ns();
    const auto found = reader.last_of_key(directory, load.key(i), kNewest);
    took.add_ns(bench::mono_ns() - begin);
    short_ones += found.records.size() != kNewest ? 1 : 0;
  }
  took.print();
  if (short_ones > 0)
    std::printf("%llu reads found fewer than 100\n", static_cast<unsigned long long>(short_ones));
}

void run() {
  bench::Records load(kKeys);
  bench::TestSegment segment(shm::Kind::log, bench::kDefaultTotal);
  segment.fill(load, 100'000);
  auto reader = segment.reader();
  const auto directory = segment.directory(reader);
  std::puts("the newest 100 records of a key (target: 20 us)");
  measure(reader, directory, load, "warm-up");
  measure(reader, directory, load, "at rest");
  const pid_t child = fork();
  if (child < 0) bench::give_up("cannot fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) segment.append(load, shm::kMaxBatchRecords);
  }
  const auto before = reader.find(shm::Kind::log, directory.name)->stored;
  const auto begin = bench::mono_ns();
  measure(reader, directory, load, "while it is written");
  const auto written = reader.find(shm::Kind::log, directory.name)->stored - before;
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  std::printf("written meanwhile: %.2f million records/s\n",
              static_cast<double>(written) * 1000 / static_cast<double>(bench::mono_ns() - begin));
}

}  // namespace

int main() {
  try {
    run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_key_reads: %s\n", error.what());
    return 1;
  }
  return 0;
}
