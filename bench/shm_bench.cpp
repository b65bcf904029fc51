// The pieces, one by one: parse, append, commit, evict, compact, scan, look up, attach. 16-byte keys,
// 100-byte values, 1,024 keys in random order, default quotas, batches of 128. Time is per record
// where the name does not say otherwise.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "bench/memcpy_ring.h"
#include "bench/test_segment.h"
#include "common/resp_parser.h"

namespace {

using namespace mayfly;  // NOLINT(google-build-using-namespace): a program of one file
using bench::kDefaultTotal;
using bench::Records;
using bench::TestSegment;

constexpr std::uint64_t kLargeTotal = 64 << 20;
constexpr std::int64_t kBatch = shm::kMaxBatchRecords;

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

void parse(benchmark::State& state) {
  Records load;
  std::string bytes;
  std::int64_t records = 0;
  for (; bytes.size() < (64 << 10); ++records)
    bytes += "*4\r\n" + bulk("LOG") + bulk("bench") + bulk(load.next_key()) + bulk(load.value());
  RespParser parser;
  std::vector<char> buffer(bytes.size());
  while (state.KeepRunningBatch(records)) {
    std::copy(bytes.begin(), bytes.end(), buffer.begin());  // stands for recv()
    const std::string_view data(buffer.data(), buffer.size());
    while (parser.next(data) == RespEvent::array) benchmark::DoNotOptimize(parser.arguments(data)[3].data());
    if (parser.compact(buffer.data(), buffer.size()) != 0) bench::give_up("the parser left something");
  }
}

// Every append evicts (log) or replaces (status) one; in turn, a status leaves nothing to compact.
void append(benchmark::State& state, shm::Kind kind, bool in_turn, std::int64_t batch) {
  Records load(1024, 100, in_turn);
  TestSegment segment(kind, kDefaultTotal);
  segment.fill(load, 100'000);
  while (state.KeepRunningBatch(batch)) segment.append(load, static_cast<std::size_t>(batch));
}

// Nothing is evicted: there is room.
void append_to_room(benchmark::State& state) {
  constexpr std::int64_t kFits = kLargeTotal / 128 / kBatch * kBatch;
  Records load;
  TestSegment segment(shm::Kind::log, kLargeTotal);
  std::int64_t stored = 0;
  while (state.KeepRunningBatch(kBatch)) {
    if ((stored += kBatch) > kFits) {
      state.PauseTiming();
      segment.set_total(0);
      segment.set_total(kLargeTotal);
      stored = kBatch;
      state.ResumeTiming();
    }
    segment.append(load, kBatch);
  }
}

// A quota that becomes 0.
void evict(benchmark::State& state) {
  constexpr std::int64_t kStored = 16 * kBatch;
  Records load;
  TestSegment segment(shm::Kind::log, kDefaultTotal);
  while (state.KeepRunningBatch(kStored)) {
    state.PauseTiming();
    segment.set_total(kDefaultTotal);
    segment.fill(load, kStored);
    state.ResumeTiming();
    segment.set_total(0);
  }
}

void memcpy_ring(benchmark::State& state) {
  Records load;
  bench::MemcpyRing ring(kDefaultTotal);
  while (state.KeepRunning()) ring.append(load.next_key(), load.value());
}

// Reads everything that lives, again and again: records of 135 bytes.
void scan(benchmark::State& state, std::uint64_t total_bytes) {
  Records load(1024, 135 - Records::kKeyBytes);
  TestSegment segment(shm::Kind::log, total_bytes);
  segment.fill(load, total_bytes / load.bytes() + kBatch);
  auto reader = segment.reader();
  const auto directory = segment.directory(reader);
  const shm::RecordSink sink = [](const shm::RecordView& record) {
    benchmark::DoNotOptimize(record.value.data());
    return true;
  };
  while (state.KeepRunningBatch(static_cast<std::int64_t>(directory.records))) {
    shm::Cursor cursor;
    while (!reader.read(directory, cursor, {}, sink).reached_end) {
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(load.bytes()));
}

void get(benchmark::State& state) {
  Records load;
  TestSegment segment(shm::Kind::status, kDefaultTotal);
  segment.fill(load, 100'000);
  auto reader = segment.reader();
  const auto directory = segment.directory(reader);
  while (state.KeepRunning()) {
    if (!reader.get(directory, load.next_key())) bench::give_up("a key is not there");
  }
}

// Time is per attach, to a segment of 256 MiB that holds 64 MiB.
void attach_writer(benchmark::State& state) {
  Records load;
  TestSegment segment(shm::Kind::log, kLargeTotal);
  segment.fill(load, kLargeTotal / load.bytes());
  while (state.KeepRunning()) {
    state.PauseTiming();
    segment.close();
    state.ResumeTiming();
    segment.open();
  }
}

void attach_reader(benchmark::State& state) {
  Records load;
  TestSegment segment(shm::Kind::log, kLargeTotal);
  segment.fill(load, kLargeTotal / load.bytes());
  while (state.KeepRunning()) {
    auto reader = segment.reader();
    benchmark::DoNotOptimize(segment.directory(reader).records);
  }
}

double least(const std::vector<double>& all) { return *std::min_element(all.begin(), all.end()); }
double most(const std::vector<double>& all) { return *std::max_element(all.begin(), all.end()); }

int rounds() {
  const char* asked = std::getenv("MAYFLY_BENCH_ROUNDS");
  return asked != nullptr ? std::max(1, std::atoi(asked)) : 9;
}

void repeat(benchmark::internal::Benchmark* bench) {
  bench->Repetitions(rounds())
      ->ReportAggregatesOnly(true)
      ->ComputeStatistics("min", least)
      ->ComputeStatistics("max", most);
}

void repeat_for_long(benchmark::internal::Benchmark* bench) { bench->MinTime(0.2)->Apply(repeat); }

// What lies between two measurements takes longer than they do.
void repeat_few(benchmark::internal::Benchmark* bench) { bench->Iterations(100)->Apply(repeat); }

BENCHMARK(memcpy_ring)->Apply(repeat_for_long);
BENCHMARK(parse)->Apply(repeat_for_long);
BENCHMARK_CAPTURE(append, log, shm::Kind::log, false, kBatch)->Apply(repeat_for_long);
BENCHMARK(append_to_room)->Apply(repeat_for_long);
BENCHMARK_CAPTURE(append, status, shm::Kind::status, false, kBatch)->Apply(repeat_for_long);
BENCHMARK_CAPTURE(append, status_in_turn, shm::Kind::status, true, kBatch)->Apply(repeat_for_long);
BENCHMARK_CAPTURE(append, log_commit_of_16, shm::Kind::log, false, 16)->Apply(repeat_for_long);
BENCHMARK_CAPTURE(append, log_commit_of_1, shm::Kind::log, false, 1)->Apply(repeat_for_long);
BENCHMARK(evict)->Iterations(100 * 16 * kBatch)->Apply(repeat);
BENCHMARK_CAPTURE(scan, 256KiB, kDefaultTotal)->Apply(repeat_for_long);
BENCHMARK_CAPTURE(scan, 64MiB, kLargeTotal)->Apply(repeat_for_long);
BENCHMARK(get)->Apply(repeat_for_long);
BENCHMARK(attach_writer)->Apply(repeat_few);
BENCHMARK(attach_reader)->Apply(repeat_for_long);

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
