// What a reader pays for one key: its newest record, and its last 100 events, found by the key index;
// of a directory with default quotas and of one of 64 MiB, while nobody writes and while another
// process writes as fast as it can. 16-byte keys, 100-byte values. And a whole scan of the large one.
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <exception>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bench/scratch.h"
#include "bench/timing.h"
#include "shm/clock.h"
#include "shm/reader.h"
#include "shm/writer.h"

namespace {

using mayfly::bench::Durations;
using mayfly::bench::give_up;
using mayfly::bench::mono_ns;
namespace shm = mayfly::shm;

constexpr std::size_t kValueBytes = 100;
constexpr std::uint64_t kEvents = 100;
constexpr int kLookups = 20'000;
constexpr int kScans = 20;

struct Shape {
  const char* name;
  std::uint64_t total_bytes;
  std::size_t keys;
};

/// What the writing process tells; shared by both.
struct Progress {
  std::atomic<std::uint64_t> records{0};
  std::atomic<bool> full{false};
  std::atomic<bool> writing{true};
};

std::string key_of(std::size_t i) {
  std::string key = "key-" + std::to_string(i);
  key.resize(16, '.');
  return key;
}

shm::Now now() { return {shm::system_clocks().wall_ns(), shm::system_clocks().boot_ns()}; }

shm::Quotas quotas_of(const Shape& shape) {
  shm::Quotas quotas;
  if (shape.total_bytes != quotas.max_total_bytes) {
    quotas.max_total_bytes = quotas.max_bytes_per_key = shape.total_bytes;
    quotas.max_events_per_key = ~0ull;
  }
  return quotas;
}

/// Fills the directory; goes on for as long as it is wanted.
void write(const std::string& path, const Shape& shape, Progress& progress) {
  shm::WriterOptions options;
  options.path = path;
  options.bytes = std::max<std::uint64_t>(64 << 20, shape.total_bytes * 4);
  auto opened = shm::Writer::open(options);
  if (!opened.ok()) give_up(opened.error().text);
  shm::Worker worker = opened.value()->worker(0);
  const shm::DirectorySpec spec{shm::Kind::log, "bench", quotas_of(shape), 1, 1, 1};
  const shm::DirectoryId id = opened.value()->open_directory(worker, spec, now()).value();
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < shape.keys; ++i) keys.push_back(key_of(i));
  const std::string value(kValueBytes, 'v');
  std::mt19937 random(1);
  const std::uint64_t enough = shape.total_bytes / (kValueBytes + 16) * 3 / 2;
  for (std::uint64_t n = 0; n < enough || progress.writing;) {
    worker.begin(id, now());
    for (std::size_t i = 0; i < shm::kMaxBatchRecords; ++i)
      worker.append(keys[random() % keys.size()], value);
    worker.commit();
    progress.records = n += shm::kMaxBatchRecords;
    if (n >= enough && !progress.full.exchange(true)) raise(SIGSTOP);  // until the quiet part is done
  }
}

Progress& shared_progress() {
  void* memory = mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) give_up("no shared memory");
  return *new (memory) Progress;
}

pid_t fork_writer(const std::string& path, const Shape& shape, Progress& progress) {
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  write(path, shape, progress);
  _exit(0);
}

void look_up(shm::Reader& reader, const Shape& shape, const std::string& when) {
  Durations newest("newest of a key, " + when);
  Durations last("last 100 of a key, " + when);
  const auto directory = reader.find("bench");
  if (!directory) give_up("the directory is not there");
  std::mt19937 random(2);
  std::uint64_t short_ones = 0;
  for (int i = 0; i < kLookups; ++i) {
    const std::string key = key_of(random() % shape.keys);
    const std::uint64_t begin = mono_ns();
    const bool there = reader.get(*directory, key).has_value();
    const std::uint64_t middle = mono_ns();
    const std::size_t got = reader.last_of_key(*directory, key, kEvents).records.size();
    const std::uint64_t end = mono_ns();
    if (!there) give_up("a key is not there");
    if (got < kEvents) ++short_ones;
    newest.add_ns(middle - begin);
    last.add_ns(end - middle);
  }
  newest.print();
  last.print();
  if (short_ones > kLookups / 10) give_up("the keys have fewer than 100 events");
}

void scan(shm::Reader& reader) {
  const auto directory = reader.find("bench");
  std::uint64_t bytes = 0;
  Durations scans("whole scan, nobody writes");
  for (int i = 0; i < kScans; ++i) {
    bytes = 0;
    shm::Cursor cursor;
    const std::uint64_t begin = mono_ns();
    while (!reader
                .read(*directory, cursor, {},
                      [&](const shm::RecordView& record) {
                        bytes += record.key.size() + record.value.size();
                        return true;
                      })
                .reached_end) {
    }
    scans.add_ns(mono_ns() - begin);
  }
  scans.print();
  std::printf("%-34s %.2f GB/s of keys and values (target: 2)\n", "",
              static_cast<double>(bytes) / static_cast<double>(scans.percentile_ns(0.5)));
}

void run(const Shape& shape) {
  const mayfly::bench::Scratch scratch;
  Progress& progress = shared_progress();
  const pid_t writer = fork_writer(scratch.file("data"), shape, progress);
  int status = 0;
  if (waitpid(writer, &status, WUNTRACED) != writer || !WIFSTOPPED(status))
    give_up("the writer did not fill");
  auto opened = shm::Reader::open(scratch.file("data"));
  if (!opened.ok()) give_up(opened.error().text);
  shm::Reader reader = std::move(opened.value());
  const auto directory = reader.find("bench");
  std::printf("%s: %llu records of %zu keys\n", shape.name,
              static_cast<unsigned long long>(directory->records), shape.keys);
  look_up(reader, shape, "nobody writes");
  scan(reader);
  const std::uint64_t scans_before = reader.key_scans();
  kill(writer, SIGCONT);
  const std::uint64_t begin = mono_ns();
  const std::uint64_t before = progress.records;
  look_up(reader, shape, "full speed");
  const double seconds = static_cast<double>(mono_ns() - begin) / 1e9;
  std::printf("%-34s %.2f million records/s written meanwhile; %llu of %d lookups had to scan\n", "",
              static_cast<double>(progress.records - before) / seconds / 1e6,
              static_cast<unsigned long long>(reader.key_scans() - scans_before), 2 * kLookups);
  progress.writing = false;
  waitpid(writer, nullptr, 0);
}

}  // namespace

int main() {
  try {
    std::puts("lookups by key (target: 20 us, at default quotas, also at full speed)");
    run({"default quotas", shm::Quotas{}.max_total_bytes, 12});
    run({"64 MiB", 64 << 20, 1024});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_key_lookup: %s\n", error.what());
    return 1;
  }
  return 0;
}
