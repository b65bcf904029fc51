// The path of a record without its socket: prepared bytes through parser, session and batch into the
// segment, as a worker of ingestd does it, 64 KiB at a time. Prints nanoseconds per record; under
// `valgrind --tool=callgrind --toggle-collect=mayfly::bench::counted*` it counts instructions instead.
//
//   bench_ingest_path [log|status] [RECORDS] [KEYS] [DIRECTORIES] [THREADS]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bench/scratch.h"
#include "bench/timing.h"
#include "common/resp_parser.h"
#include "ingestd/native_session.h"
#include "shm/clock.h"
#include "shm/reader.h"

namespace mayfly::bench {

/// What is counted: a name of its own, which callgrind can be told.
[[gnu::noinline]] void counted(RespParser& parser, ingestd::Session& session, std::string_view bytes) {
  session.feed(parser, bytes);
}

namespace {

using namespace mayfly;  // NOLINT(google-build-using-namespace): a program of one file

/// Hands `data` to the session in pieces, as Connection does with what it received.
void feed(std::string_view data, std::size_t piece, ingestd::NativeSession& session, ingestd::Batch& batch,
          std::vector<char>& buffer) {
  RespParser parser;
  std::size_t kept = 0;
  while (!data.empty()) {
    const std::size_t part = std::min(piece, data.size());
    data.copy(buffer.data() + kept, part);  // stands for recv()
    data.remove_prefix(part);
    const std::string_view bytes(buffer.data(), kept + part);
    batch.new_turn();
    counted(parser, session, bytes);
    kept = parser.compact(buffer.data(), bytes.size());
  }
}

constexpr std::size_t kPiece = 64 << 10;
constexpr std::size_t kLeastPrepared = 1 << 16;  // records, sent again and again

struct Load {
  shm::Kind kind = shm::Kind::log;
  std::uint64_t records = 1'000'000;
  std::size_t keys = 1024;
  std::size_t directories = 1;
  std::size_t threads = 1;

  /// Records that are sent again and again: enough to write most keys.
  std::size_t prepared() const { return std::max(kLeastPrepared, keys); }
};

struct Timing {
  std::uint64_t all_ns = 0;
  std::uint64_t best_ns = ~0ull;  // of the records prepared
};

std::string bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

/// Records with 16-byte keys in a random order that is the same in every run, and 100-byte values.
std::string prepare(const Load& load, std::size_t thread) {
  std::mt19937 random(1);
  std::string bytes;
  for (std::size_t i = 0; i < load.prepared(); ++i) {
    std::string key = "key-" + std::to_string(random() % load.keys);
    key.resize(16, '.');
    std::string value = std::to_string(i);
    value.resize(100, 'v');
    const std::string name =
        "bench" + std::to_string(thread) + "-" + std::to_string(random() % load.directories);
    bytes += "*4\r\n" + bulk(load.kind == shm::Kind::log ? "LOG" : "STATUS") + bulk(name) + bulk(key) +
             bulk(value);
  }
  return bytes;
}

/// What ingestd makes of a segment and a list of rules, without its threads.
class Host {
 public:
  explicit Host(const Load& load) : load_(load) {
    shm::WriterOptions options;
    options.path = scratch_.file("data");
    options.bytes = std::max<std::uint64_t>(256 << 20, load.directories * load.threads * (2 << 20));
    if (load.keys > 4096) options.bytes = 1ull << 30;
    auto opened = shm::Writer::open(options);
    if (!opened.ok()) give_up(opened.error().text);
    writer_ = std::move(opened.value());
    registry_ = std::make_unique<ingestd::Registry>(*writer_);
    shm::Rules rules;
    rules.version = "1";
    shm::Rule rule;
    rule.kind = load.kind;
    rule.pattern = true;
    rule.name = "bench*";
    rule.max_directories = load.directories * load.threads;
    if (load.keys > 4096) {
      rule.quotas.max_keys = load.keys;
      rule.quotas.max_total_bytes = rule.quotas.max_bytes_per_key = 200ull << 20;
    }
    rules.rules.push_back(rule);
    auto worker = writer_->worker(0);
    registry_->apply(worker, 1, rules, {shm::system_clocks().wall_ns(), shm::system_clocks().boot_ns()});
    service_.set(ingestd::Service::go);
  }

  /// Feeds `records` records on the calling thread.
  Timing run(std::size_t thread, std::uint64_t records) {
    auto batch =
        std::make_unique<ingestd::Batch>(*writer_, writer_->worker(static_cast<std::uint32_t>(thread)),
                                         *registry_, service_, control_, shm::system_clocks());
    ingestd::SessionContext context{*batch, service_, shm::system_clocks(), {}};
    ingestd::NativeSession session(context);
    const std::string bytes = prepare(load_, thread);
    std::vector<char> buffer(2 * kPiece);
    feed(bytes, kPiece, session, *batch, buffer);  // until every append evicts or replaces one
    Timing timing;
    for (std::uint64_t done = 0; done < records; done += load_.prepared()) {
      const std::uint64_t begin = mono_ns();
      feed(bytes, kPiece, session, *batch, buffer);
      const std::uint64_t ns = mono_ns() - begin - 0;
      timing.all_ns += ns;
      timing.best_ns = std::min(timing.best_ns, ns);
    }
    return timing;
  }

  std::uint64_t stored() const {
    auto reader = shm::Reader::open(scratch_.file("data"));
    if (!reader.ok()) give_up(reader.error().text);
    std::uint64_t sum = 0;
    for (const auto& directory : reader.value().directories()) sum += directory.stored;
    return sum;
  }

 private:
  const Load load_;
  Scratch scratch_;
  std::unique_ptr<shm::Writer> writer_;
  std::unique_ptr<ingestd::Registry> registry_;
  ingestd::ServiceState service_;
  ingestd::ControlHandle control_;
};

int run(const Load& load) {
  Host host(load);
  const std::uint64_t rounded = (load.records + load.prepared() - 1) / load.prepared() * load.prepared();
  std::vector<Timing> timings(load.threads);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < load.threads; ++i)
    threads.emplace_back([&, i] { timings[i] = host.run(i, rounded); });
  for (std::thread& thread : threads) thread.join();
  const std::uint64_t sent = (rounded + load.prepared()) * load.threads;
  if (host.stored() != sent)
    give_up(std::to_string(host.stored()) + " records stored of " + std::to_string(sent));
  double rate = 0;
  std::uint64_t best = ~0ull;
  for (const Timing& one : timings) {
    rate += static_cast<double>(rounded) * 1e3 / static_cast<double>(one.all_ns);
    best = std::min(best, one.best_ns);
  }
  std::printf(
      "ingest_path %s: %.1f ns a record (best %.1f), %zu threads, %.2f million records/s, %llu records "
      "counted\n",
      std::string(shm::kind_name(load.kind)).c_str(), static_cast<double>(load.threads) * 1e3 / rate,
      static_cast<double>(best) / static_cast<double>(load.prepared()), load.threads, rate,
      static_cast<unsigned long long>(sent));
  return 0;
}

Load parse(int argc, char** argv) {
  Load load;
  if (argc > 1) load.kind = std::string_view(argv[1]) == "status" ? shm::Kind::status : shm::Kind::log;
  if (argc > 2) load.records = std::strtoull(argv[2], nullptr, 10);
  if (argc > 3) load.keys = std::strtoull(argv[3], nullptr, 10);
  if (argc > 4) load.directories = std::strtoull(argv[4], nullptr, 10);
  if (argc > 5) load.threads = std::strtoull(argv[5], nullptr, 10);
  return load;
}

}  // namespace
}  // namespace mayfly::bench

int main(int argc, char** argv) {
  try {
    return mayfly::bench::run(mayfly::bench::parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_ingest_path: %s\n", error.what());
    return 1;
  }
}
