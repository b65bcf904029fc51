// Several writing threads and readers over one mapping, for ThreadSanitizer and for the checks that
// every reader can make by itself: values that tell their own content, balanced counters, quotas.
#include <atomic>
#include <cstdio>
#include <map>
#include <numeric>
#include <thread>

#include "tests/shm/directory_fixture.h"
#include "tests/shm/temp_directory.h"

namespace mayfly::shm::test {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kScale = 1;
#else
constexpr int kScale = 8;
#endif

/// A value that shows by itself whether it is whole and belongs to its key.
std::string value_of(std::string_view key, std::uint64_t number) {
  std::string value = std::string(key) + ":" + std::to_string(number) + ":";
  value.append(number * 7 % 300, static_cast<char>('a' + number % 26));
  return value;
}

/// The number in a whole value; -1 for a torn or misplaced one.
std::int64_t number_of(std::string_view key, std::string_view value) {
  if (value.substr(0, key.size()) != key || value.size() <= key.size()) return -1;
  const std::string text(value.substr(key.size() + 1));
  const std::uint64_t number = std::strtoull(text.c_str(), nullptr, 10);
  return value == value_of(key, number) ? static_cast<std::int64_t>(number) : -1;
}

/// What went wrong in a thread; assertions of the test library stay in the main one.
class Findings {
 public:
  void add(const std::string& what) {
    const std::lock_guard lock(mutex_);
    if (all_.size() < 20) all_.push_back(what);
  }
  void check(bool ok, const std::string& what) {
    if (!ok) add(what);
  }
  std::string text() {
    const std::lock_guard lock(mutex_);
    return join(all_);
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> all_;
};

void check_info(const DirectoryInfo& d, Findings& findings) {
  const std::uint64_t evicted = std::accumulate(d.evicted.begin(), d.evicted.end(), std::uint64_t{0});
  findings.check(d.stored == d.records + d.replaced + evicted, d.name + ": counters out of balance");
  findings.check(d.keys <= d.quotas.max_keys && d.bytes <= d.quotas.max_total_bytes,
                 d.name + ": over a quota");
  findings.check(d.next_seq == d.stored + 1, d.name + ": seq and stored differ");
}

class ConcurrencyTest : public testing::Test {
 protected:
  void start(const RigOptions& options) {
    rig_ = std::make_unique<Rig>(options);
    rig_->engine->corruption_handler = [this](const std::string& what) {
      findings_.add(what);
      throw CorruptSegment{what};
    };
  }
  void TearDown() override {
    EXPECT_EQ(findings_.text(), "");
    for (const DirectoryInfo& d : rig_->reader().directories()) check_info(d, findings_);
    expect_sound(*rig_);
    EXPECT_EQ(findings_.text(), "");
    std::printf("stored %llu, dropped %llu; snapshots %llu (partial %llu), restarts %llu\n",
                static_cast<unsigned long long>(stored_), static_cast<unsigned long long>(dropped_),
                static_cast<unsigned long long>(snapshots_), static_cast<unsigned long long>(partial_),
                static_cast<unsigned long long>(restarts_));
  }

  /// Runs the bodies in threads of their own; `readers` run until all `writers` are done, and once more.
  void run(std::vector<std::function<void()>> writers, std::vector<std::function<void()>> readers) {
    std::atomic<bool> done{false};
    std::vector<std::thread> reading;
    reading.reserve(readers.size());
    for (auto& body : readers) {
      reading.emplace_back([&done, body] {
        bool last = false;
        do {
          last = done.load();
          body();
        } while (!last);
      });
    }
    std::vector<std::thread> writing;
    writing.reserve(writers.size());
    for (auto& body : writers) {
      writing.emplace_back([body] {
        try {
          body();
        } catch (const CorruptSegment&) {  // noted by the handler
        }
      });
    }
    for (std::thread& thread : writing) thread.join();
    done = true;
    for (std::thread& thread : reading) thread.join();
  }

  /// One batch of self-checking records.
  void batch(std::uint32_t worker, DirectoryId id, std::uint64_t& number, int records, int keys) {
    Worker w = rig_->worker(worker);
    if (!w.begin(id, rig_->clocks.now())) return;
    for (int i = 0; i < records; ++i, ++number) {
      const std::string key =
          "w" + std::to_string(worker) + "k" + std::to_string(number % static_cast<unsigned>(keys));
      ++(w.append(key, value_of(key, number)).stored ? stored_ : dropped_);
    }
    w.commit();
  }

  std::function<void()> snapshot_reader(const std::string& name) {
    auto reader = std::make_shared<Reader>(rig_->reader());
    return [this, reader, name] {
      const auto info = reader->find(name);
      if (!info) return;
      const Reader::Snapshot s = reader->snapshot(*info);
      if (!s.found) return;
      ++snapshots_;
      if (s.partial) ++partial_;
      check_info(s.directory, findings_);
      std::uint64_t last = 0;
      std::uint64_t bytes = 0;
      for (const RecordView& r : s.records) {
        findings_.check(r.seq > last, "a snapshot out of order");
        findings_.check(number_of(r.key, r.value) >= 0, "a torn record in a snapshot");
        last = r.seq;
        bytes += r.key.size() + r.value.size();
      }
      findings_.check(s.partial || (s.records.size() == s.directory.records && bytes == s.directory.bytes),
                      "a snapshot of two moments");
    };
  }

  /// Follows the directory; ordinals and numbers of a key rise, seq rises, nothing comes twice.
  std::function<void()> follower(const std::string& name) {
    struct State {
      Reader reader;
      Cursor cursor;
      std::uint64_t incarnation = 0;
      std::uint64_t last = 0;
      std::map<std::string, std::int64_t> numbers;
    };
    auto state = std::make_shared<State>(State{rig_->reader(), {}, 0, 0, {}});
    return [this, state, name] {
      const auto info = state->reader.find(name);
      if (!info) return;
      if (info->incarnation != state->incarnation)
        *state = State{rig_->reader(), {}, info->incarnation, 0, {}};
      const ReadResult result = state->reader.read(*info, state->cursor, {}, [&](const RecordView& r) {
        findings_.check(r.seq > state->last, "a read out of order");
        state->last = r.seq;
        const std::int64_t number = number_of(r.key, r.value);
        auto& before = state->numbers.try_emplace(std::string(r.key), -1).first->second;
        findings_.check(number > before, "a torn, stale or doubled record");
        before = number;
        return true;
      });
      restarts_ += result.restarts;
      if (result.partial) ++partial_;
      findings_.check(state->last == 0 || state->cursor.next_seq > state->last, "a cursor that went back");
    };
  }

  std::function<void()> lister() {
    auto reader = std::make_shared<Reader>(rig_->reader());
    return [this, reader] {
      for (const DirectoryInfo& d : reader->directories()) check_info(d, findings_);
      const SegmentInfo info = reader->info();
      findings_.check(info.pages_free <= info.pages_total, "more free pages than pages");
    };
  }

  std::unique_ptr<Rig> rig_;
  Findings findings_;
  std::atomic<std::uint64_t> stored_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<std::uint64_t> snapshots_{0};
  std::atomic<std::uint64_t> partial_{0};
  std::atomic<std::uint64_t> restarts_{0};
};

Quotas small_quotas(std::uint64_t total) {
  Quotas q;
  q.max_keys = 40;
  q.max_total_bytes = q.max_bytes_per_key = total;
  return q;
}

TEST_F(ConcurrencyTest, OneWriterAndThreeReadersOfALogAndAStatus) {
  for (const Kind kind : {Kind::log, Kind::status}) {
    start({.bytes = 256 << 10, .quarantine = 8});
    const DirectoryId id = rig_->open("d", kind, small_quotas(20'000));
    const auto writer = [&] {
      std::uint64_t number = 0;
      for (int i = 0; i < 1500 * kScale; ++i) batch(0, id, number, 1 + i % 30, 12);
    };
    run({writer}, {snapshot_reader("d"), follower("d"), lister()});
    EXPECT_EQ(dropped_, 0u);
    expect_sound(*rig_);
  }
}

TEST_F(ConcurrencyTest, FourWorkersOnTheirOwnAndOnASharedDirectory) {
  start({.bytes = 1 << 20, .slots = 8, .quarantine = 8, .worker_areas = 4});
  const DirectoryId shared = rig_->open("shared", Kind::log, small_quotas(30'000));
  std::vector<std::function<void()>> writers;
  for (std::uint32_t i = 0; i < 4; ++i) {
    const DirectoryId own =
        rig_->open("own" + std::to_string(i), i % 2 == 0 ? Kind::log : Kind::status, small_quotas(9000));
    writers.emplace_back([this, i, own, shared] {
      std::uint64_t number = 0;
      for (int round = 0; round < 400 * kScale; ++round) {
        batch(i, own, number, 1 + round % 20, 8);
        batch(i, shared, number, 1 + round % 7, 8);
      }
    });
  }
  run(writers, {snapshot_reader("shared"), follower("shared"), follower("own0"), lister()});
  std::uint64_t stored = 0;
  for (const DirectoryInfo& d : rig_->reader().directories()) stored += d.stored;
  EXPECT_EQ(stored, stored_);
  EXPECT_EQ(dropped_, 0u);
}

// Everything at once in a segment far too small: workers take pages from one another's directories
// while quotas change and directories go and come.
TEST_F(ConcurrencyTest, QuotaChangesRemovalsAndMemoryPressureAtOnce) {
  start({.bytes = 160 << 10, .slots = 6, .quarantine = 8, .worker_areas = 4});
  Quotas greedy = small_quotas(1 << 30);
  greedy.max_keys = 100'000;
  std::vector<DirectoryId> ids;
  ids.reserve(3);
  for (int i = 0; i < 3; ++i)
    ids.push_back(rig_->open("d" + std::to_string(i), i == 1 ? Kind::status : Kind::log, greedy));
  std::vector<std::function<void()>> writers;
  for (std::uint32_t i = 0; i < 3; ++i) {
    writers.emplace_back([this, i, ids] {
      std::uint64_t number = 0;
      for (int round = 0; round < 600 * kScale; ++round)
        batch(i, ids[static_cast<std::size_t>(round) % ids.size()], number, 1 + round % 25, 400);
    });
  }
  std::atomic<int> changes{0};
  writers.emplace_back([&, this] {
    WorkerState& state = rig_->state(3);
    std::mt19937_64 random(1);
    for (int round = 0; round < 300 * kScale; ++round) {
      state.now = rig_->clocks.now();
      const auto which = random() % ids.size();
      const std::string name = "d" + std::to_string(which);
      const Kind kind = which == 1 ? Kind::status : Kind::log;
      if (round % 20 == 19) {
        findings_.check(rig_->engine->close_directory(state, ids[which], false), "no directory to close");
        const auto id = rig_->engine->open_directory(state, {kind, name, greedy, 1, 1, 1});
        findings_.check(id.ok() && id.value() == ids[which], "no slot for a directory that comes back");
      } else {
        const Quotas q = random() % 3 == 0 ? small_quotas(random() % 20'000) : greedy;
        rig_->engine->with_directory(state, ids[which], [&](Directory& d) {
          d.apply_quotas(state, {kind, name, q, 1, 1, 1});
        });
      }
      ++changes;
    }
  });
  run(writers, {snapshot_reader("d0"), follower("d1"), lister()});
  EXPECT_EQ(changes, 300 * kScale);
  EXPECT_GT(stored_, 0u);
}

// The first to start takes everything, and is busy whenever another looks for pages: the others still
// come to their shares.
TEST_F(ConcurrencyTest, ABusyGreedyDirectoryDoesNotStarveTheOthers) {
  start({.bytes = 512 << 10, .slots = 8, .quarantine = 8, .worker_areas = 8});
  Quotas greedy = small_quotas(1 << 30);
  greedy.max_keys = 100'000;
  std::vector<std::function<void()>> writers;
  std::vector<DirectoryId> ids;
  for (std::uint32_t i = 0; i < 8; ++i) {
    ids.push_back(rig_->open("own" + std::to_string(i), Kind::log, greedy));
    writers.emplace_back([this, i, own = ids.back()] {
      std::uint64_t number = 0;
      const auto enough = [&] { return rig_->reader().find("own" + std::to_string(i))->stored >= 2000; };
      for (int round = 0; round < 20'000 && !enough(); ++round) batch(i, own, number, 30, 50);
    });
  }
  run(writers, {lister()});
  for (const DirectoryInfo& d : rig_->reader().directories()) EXPECT_GE(d.stored, 2000u) << d.name;
}

//   reader: word, look, sleep ..........| look, found
//   writer:           commit, wake -----^           however the two fall, no wake-up is lost
TEST(WakeUp, AReaderThatLooksThenSleepsMissesNoRecord) {
  const TempDirectory directory;
  WriterOptions options;
  options.path = directory / "data";
  options.bytes = 3 << 20;
  options.page_bytes = 1024;
  const auto writer = std::move(Writer::open(options).value());
  Worker w = writer->worker(0);
  const DirectoryId id = writer->open_directory(w, {Kind::log, "d", Quotas{}, 1, 1, 1}, {1, 1}).value();
  constexpr std::uint64_t kRecords = 2000;
  std::atomic<std::uint64_t> seen{0};
  std::thread waiter([&] {
    const Reader reader = std::move(Reader::open(options.path).value());
    while (seen < kRecords) {
      const std::uint32_t word = reader.wake_word();
      const std::uint64_t stored = reader.find("d")->stored;
      if (stored > seen) {
        seen = stored;
      } else {
        reader.wait(word, std::chrono::minutes(5));  // a lost wake-up would show as a test that hangs
      }
    }
  });
  for (std::uint64_t i = 0; i < kRecords; ++i) {
    EXPECT_TRUE(w.begin(id, {1, 1}));
    w.append("k", "v");
    w.commit();
    writer->wake_readers();
    if (i % 4 == 0) {
      while (seen <= i) std::this_thread::yield();
    }
  }
  waiter.join();
  EXPECT_EQ(seen, kRecords);
}

}  // namespace
}  // namespace mayfly::shm::test
