// The engine alone: append under default quotas (every append evicts or replaces one), scan, lookup.
// 16-byte keys, 100-byte values, 1,024 keys in random order, batches of 128. Time is per record.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bench/memcpy_ring.h"
#include "bench/scratch.h"
#include "shm/clock.h"
#include "shm/reader.h"
#include "shm/writer.h"

namespace {

using namespace mayfly;  // NOLINT(google-build-using-namespace): a program of one file

constexpr std::size_t kKeys = 1024;
constexpr std::size_t kKeyBytes = 16;
constexpr std::size_t kValueBytes = 100;
constexpr std::size_t kOrder = 1 << 16;  // a power of two

/// Keys in an order that no prefetcher guesses; the same in every run.
class Workload {
 public:
  Workload() : value_(kValueBytes, 'v') {
    for (std::size_t i = 0; i < kKeys; ++i) {
      std::string key = "key-" + std::to_string(i);
      key.resize(kKeyBytes, '.');
      keys_.push_back(std::move(key));
    }
    std::mt19937 random(1);
    for (std::size_t i = 0; i < kOrder; ++i) order_.push_back(random() % kKeys);
  }

  std::string_view next_key() { return keys_[order_[at_++ & (kOrder - 1)]]; }
  std::string_view key(std::size_t i) const { return keys_[i % kKeys]; }
  std::string_view value() const { return value_; }

 private:
  std::string value_;
  std::vector<std::string> keys_;
  std::vector<std::uint16_t> order_;
  std::size_t at_ = 0;
};

/// A segment with one directory.
class Segment {
 public:
  Segment(shm::Kind kind, std::uint64_t total_bytes) {
    shm::WriterOptions options;
    options.path = scratch_.file("data");
    options.bytes = std::max<std::uint64_t>(64 << 20, total_bytes * 4);
    auto opened = shm::Writer::open(options);
    if (!opened.ok()) bench::give_up(opened.error().text);
    writer_ = std::move(opened.value());
    shm::DirectorySpec spec;
    spec.kind = kind;
    spec.name = "bench";
    spec.quotas.max_total_bytes = spec.quotas.max_bytes_per_key = total_bytes;
    if (total_bytes > (1 << 20)) spec.quotas.max_events_per_key = ~0ull;
    auto worker = writer_->worker(0);
    auto id = writer_->open_directory(worker, spec, now());
    if (!id.ok()) bench::give_up(id.error().text);
    id_ = id.value();
  }

  /// Appends `records` in one batch.
  void append(Workload& load, std::size_t records) {
    auto worker = writer_->worker(0);
    worker.begin(id_, now());
    for (std::size_t i = 0; i < records; ++i)
      benchmark::DoNotOptimize(worker.append(load.next_key(), load.value()));
    worker.commit();
  }

  void fill(Workload& load, std::uint64_t records) {
    for (std::uint64_t done = 0; done < records; done += shm::kMaxBatchRecords)
      append(load, shm::kMaxBatchRecords);
  }

  shm::Reader reader() const {
    auto opened = shm::Reader::open(scratch_.file("data"));
    if (!opened.ok()) bench::give_up(opened.error().text);
    return std::move(opened.value());
  }

 private:
  static shm::Now now() {
    const auto& clocks = shm::system_clocks();
    return {clocks.wall_ns(), clocks.boot_ns()};
  }

  bench::Scratch scratch_;
  std::unique_ptr<shm::Writer> writer_;
  shm::DirectoryId id_ = 0;
};

constexpr std::uint64_t kDefaultTotal = 262144;
constexpr std::uint64_t kLargeTotal = 64 << 20;

void append(benchmark::State& state, shm::Kind kind) {
  Workload load;
  Segment segment(kind, kDefaultTotal);
  segment.fill(load, 100'000);
  while (state.KeepRunningBatch(shm::kMaxBatchRecords)) segment.append(load, shm::kMaxBatchRecords);
}

void memcpy_ring(benchmark::State& state) {
  Workload load;
  bench::MemcpyRing ring(kDefaultTotal);
  while (state.KeepRunning()) ring.append(load.next_key(), load.value());
}

/// Reads everything that lives, again and again.
void scan(benchmark::State& state, std::uint64_t total_bytes) {
  Workload load;
  Segment segment(shm::Kind::log, total_bytes);
  segment.fill(load, total_bytes / (kKeyBytes + kValueBytes) + shm::kMaxBatchRecords);
  auto reader = segment.reader();
  const auto directory = reader.find("bench");
  if (!directory) bench::give_up("the directory is not there");
  const shm::RecordSink sink = [](const shm::RecordView& record) {
    benchmark::DoNotOptimize(record.value.data());
    return true;
  };
  while (state.KeepRunningBatch(static_cast<std::int64_t>(directory->records))) {
    shm::Cursor cursor;
    while (!reader.read(*directory, cursor, {}, sink).reached_end) {
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kKeyBytes + kValueBytes));
}

void get(benchmark::State& state) {
  Workload load;
  Segment segment(shm::Kind::status, kDefaultTotal);
  segment.fill(load, 100'000);
  auto reader = segment.reader();
  const auto directory = reader.find("bench");
  if (!directory) bench::give_up("the directory is not there");
  while (state.KeepRunning()) {
    if (!reader.get(*directory, load.next_key())) bench::give_up("a key is not there");
  }
}

double least(const std::vector<double>& all) { return *std::min_element(all.begin(), all.end()); }
double most(const std::vector<double>& all) { return *std::max_element(all.begin(), all.end()); }

void repeat(benchmark::internal::Benchmark* bench) {
  bench->Repetitions(9)
      ->ReportAggregatesOnly(true)
      ->ComputeStatistics("min", least)
      ->ComputeStatistics("max", most);
}

BENCHMARK(memcpy_ring)->Apply(repeat);
BENCHMARK_CAPTURE(append, log, shm::Kind::log)->Apply(repeat);
BENCHMARK_CAPTURE(append, status, shm::Kind::status)->Apply(repeat);
BENCHMARK_CAPTURE(scan, 256KiB, kDefaultTotal)->Apply(repeat);
BENCHMARK_CAPTURE(scan, 64MiB, kLargeTotal)->Apply(repeat);
BENCHMARK(get)->Apply(repeat);

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  try {
    benchmark::RunSpecifiedBenchmarks();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_shm: %s\n", error.what());
    return 1;
  }
  return 0;
}
