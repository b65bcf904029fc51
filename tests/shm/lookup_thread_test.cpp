// Lookups by key while another thread writes as fast as it can: every answer is checked against what
// can be true at that time, told from what was committed before it was asked and begun after.
#include <atomic>
#include <cstdio>
#include <thread>

#include "tests/shm/directory_fixture.h"

namespace mayfly::shm::test {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kWriterScale = 1;
#else
constexpr int kWriterScale = 6;
#endif

std::string key_of(std::size_t i) { return "key" + std::to_string(i); }

std::string numbered(std::string_view key, std::uint64_t number) {
  std::string value = std::string(key) + ":" + std::to_string(number) + ":";
  value.append(number * 11 % 190, static_cast<char>('a' + number % 26));
  return value;
}

/// The number in a whole value of that key; 0 for a torn or misplaced one.
std::uint64_t number_in(std::string_view key, const RecordView& record) {
  if (record.key != key || record.value.size() <= key.size()) return 0;
  const std::string text(record.value.substr(key.size() + 1));
  const std::uint64_t number = std::strtoull(text.c_str(), nullptr, 10);
  return record.value == numbered(key, number) ? number : 0;
}

struct LookupRace {
  Kind kind;
  std::size_t keys;
  std::uint64_t events_per_key;  // the only quota that binds
  int batches;
  const char* name;
};

class LookupThread : public testing::TestWithParam<LookupRace> {
 protected:
  /// What is known of one key's records, which are numbered from 1.
  struct Known {
    std::atomic<std::uint64_t> begun{0};
    std::atomic<std::uint64_t> committed{0};
  };

  void write() {
    std::mt19937_64 random(1);
    std::vector<std::size_t> batch;
    for (int i = 0; i < GetParam().batches * kWriterScale; ++i) {
      Worker worker = rig_.worker();
      worker.begin(id_, rig_.clocks.now());
      batch.clear();
      for (std::uint64_t n = 1 + random() % 60; n > 0; --n) {
        const std::size_t k = random() % (random() % 2 == 0 ? 4 : GetParam().keys);
        const std::string key = key_of(k);
        worker.append(key, numbered(key, ++known_[k].begun));
        batch.push_back(k);
      }
      worker.commit();
      for (const std::size_t k : batch) ++known_[k].committed;
    }
    done_ = true;
  }

  void complain(const std::string& what) {
    const std::lock_guard lock(mutex_);
    if (findings_.size() < 1000) findings_ += what + "\n";
  }

  void check_newest(Reader& reader, const DirectoryInfo& info, std::size_t k) {
    const std::string key = key_of(k);
    const std::uint64_t before = known_[k].committed;
    const auto got = reader.get(info, key);
    const std::uint64_t after = known_[k].begun;
    if (!got) {
      if (before > 0) complain(key + " is not there, though written " + std::to_string(before) + " times");
      return;
    }
    const std::uint64_t number = number_in(key, *got);
    if (number == 0) return complain("a torn value of " + key);
    if (number < before || number > after) {
      complain(key + " is " + std::to_string(number) + ", not in " + std::to_string(before) + ".." +
               std::to_string(after));
    }
  }

  void check_last(Reader& reader, const DirectoryInfo& info, std::size_t k, std::uint64_t n) {
    const std::string key = key_of(k);
    const std::uint64_t before = known_[k].committed;
    const Reader::Snapshot got = reader.last_of_key(info, key, n);
    const std::uint64_t after = known_[k].begun;
    if (got.partial) return complain("a partial answer");
    if (got.records.empty()) {
      if (before > 0) complain(key + " has no records, though written " + std::to_string(before) + " times");
      return;
    }
    std::uint64_t number = number_in(key, got.records.front());
    const std::uint64_t oldest = number;
    for (const RecordView& record : got.records) {
      if (number == 0 || number_in(key, record) != number) return complain("a hole in the chain of " + key);
      ++number;
    }
    const std::uint64_t newest = number - 1;
    if (newest < before || newest > after) complain("the newest of " + key + " is not the newest");
    if (got.records.size() > n) complain("more records than asked for");
    const std::uint64_t kept = GetParam().events_per_key;
    const std::uint64_t wanted =
        std::max({newest >= n ? newest - n + 1 : 1, after >= kept ? after - kept + 1 : 1});
    if (oldest > wanted) {
      complain(key + ": " + std::to_string(oldest) + ".." + std::to_string(newest) + " of the last " +
               std::to_string(n) + ", and " + std::to_string(wanted) + " was there");
    }
  }

  void read(unsigned seed) {
    Reader reader = rig_.reader();
    const DirectoryInfo info = *reader.find("d");
    std::mt19937_64 random(seed);
    for (bool last = false; !last; ++rounds_) {
      last = done_;
      for (int i = 0; i < 20; ++i) {
        const std::size_t k = random() % (random() % 2 == 0 ? 4 : GetParam().keys);
        if (random() % 2 == 0) {
          check_newest(reader, info, k);
        } else {
          check_last(reader, info, k, 1 + random() % 70);
        }
      }
      if (reader.get(info, "no such key")) complain("a key that was never written");
    }
    scans_ += reader.key_scans();
  }

  Rig rig_{RigOptions{.bytes = 4 << 20, .undo_pairs = 2048, .quarantine = 8}};
  DirectoryId id_ = 0;
  std::vector<Known> known_{GetParam().keys};
  std::atomic<bool> done_{false};
  std::atomic<std::uint64_t> rounds_{0};
  std::atomic<std::uint64_t> scans_{0};
  std::mutex mutex_;
  std::string findings_;
};

TEST_P(LookupThread, EveryAnswerWasTrue) {
  Quotas quotas = roomy();
  quotas.max_events_per_key = GetParam().events_per_key;
  rig_.engine->corruption_handler = [this](const std::string& what) {
    complain(what);
    throw CorruptSegment{what};
  };
  id_ = rig_.open("d", GetParam().kind, quotas);
  std::vector<std::thread> readers;
  for (unsigned i = 1; i <= 2; ++i) readers.emplace_back([this, i] { read(i); });
  write();
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(findings_, "");
  const Directory::Turnover& turnover = rig_.engine->directories[id_]->turnover;
  std::printf("lookups %llu, by scan %llu; pages merged %llu, index grown %llu times\n",
              static_cast<unsigned long long>(rounds_ * 21), static_cast<unsigned long long>(scans_),
              static_cast<unsigned long long>(turnover.merged),
              static_cast<unsigned long long>(turnover.index_grown));
  EXPECT_GT(turnover.merged, 0u);
  const auto memory = static_cast<std::size_t>(EvictCause::memory);
  EXPECT_EQ(rig_.reader().find("d")->evicted[memory], 0u) << "the segment is too small for this test";
  expect_sound(rig_);
}

INSTANTIATE_TEST_SUITE_P(Races, LookupThread,
                         testing::Values(LookupRace{Kind::log, 12, 40, 1200, "log"},
                                         LookupRace{Kind::log, 400, 7, 1200, "log_of_many_keys"},
                                         LookupRace{Kind::status, 300, 1, 1500, "status"}),
                         [](const auto& race) { return race.param.name; });

}  // namespace
}  // namespace mayfly::shm::test
