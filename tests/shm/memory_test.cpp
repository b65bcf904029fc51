// A full segment: whose records go, whose never do, and that a record which ends dropped for want
// of memory has evicted nothing.
#include <numeric>

#include "tests/shm/directory_fixture.h"

namespace mayfly::shm::test {
namespace {

Quotas greedy(std::uint64_t reserve_bytes = 0) {
  Quotas q = roomy();
  q.reserve_bytes = reserve_bytes;
  return q;
}

class MemoryTest : public testing::Test {
 protected:
  void start(const RigOptions& options) { rig_ = std::make_unique<Rig>(options); }
  void TearDown() override {
    if (rig_ == nullptr) return;
    for (const DirectoryInfo& d : rig_->reader().directories()) expect_balanced(d);
    expect_sound(*rig_);
    EXPECT_EQ(free_pages() + held_by_all(), rig_->geometry.pages) << "a page is lost";
  }
  DirectoryId open(const std::string& name, const Quotas& q, Kind kind = Kind::log) {
    return rig_->open(name, kind, q);
  }
  /// Writes n records of about `bytes` each; returns how many were stored.
  int write(DirectoryId id, int n, std::size_t bytes = 100, int keys = 5) {
    int stored = 0;
    for (int i = 0; i < n; ++i)
      stored += rig_->append(id, "k" + std::to_string(i % keys), std::string(bytes, 'v')).stored ? 1 : 0;
    return stored;
  }
  /// Writes to all of them in turn, so that none is favoured by coming last.
  void write_in_turn(const std::vector<DirectoryId>& ids, int rounds, std::size_t bytes = 100) {
    for (int i = 0; i < rounds; ++i) {
      for (const DirectoryId id : ids) EXPECT_EQ(write(id, 1, bytes), 1);
    }
  }
  std::uint64_t held(DirectoryId id) const { return rig_->engine->directories[id]->pages.load(); }
  std::uint64_t held_by_all() const {
    std::uint64_t all = 0;
    for (std::uint32_t slot = 0; slot < rig_->engine->slots_used(); ++slot) all += held(slot);
    return all;
  }
  std::uint64_t free_pages() const { return rig_->engine->pool.free_pages(); }
  std::uint64_t usable() const { return rig_->geometry.pages - rig_->engine->pool.quarantine(); }
  DirectoryInfo info(const std::string& name) { return *rig_->reader().find(name); }
  static std::uint64_t evicted(const DirectoryInfo& d) {
    return std::accumulate(d.evicted.begin(), d.evicted.end(), std::uint64_t{0});
  }
  static std::uint64_t by_memory(const DirectoryInfo& d) {
    return d.evicted[static_cast<std::size_t>(EvictCause::memory)];
  }

  std::unique_ptr<Rig> rig_;
};

TEST_F(MemoryTest, ADirectoryLargerThanTheSegmentKeepsTurningOverItsOwnOldest) {
  start({.bytes = 128 << 10});
  const DirectoryId id = open("big", greedy());
  EXPECT_EQ(write(id, 20'000), 20'000);
  const DirectoryInfo d = info("big");
  EXPECT_EQ(evicted(d), by_memory(d));
  EXPECT_EQ(d.records, 20'000 - by_memory(d));
  EXPECT_EQ(*d.first_seq, by_memory(d) + 1) << "the oldest go";
  EXPECT_GT(held(id), usable() * 9 / 10);
}

TEST_F(MemoryTest, AStatusLargerThanTheSegmentLosesItsQuietestKeys) {
  start({.bytes = 128 << 10});
  const DirectoryId id = open("big", greedy(), Kind::status);
  EXPECT_EQ(write(id, 5000, 100, 5000), 5000);
  const DirectoryInfo d = info("big");
  EXPECT_EQ(d.records, 5000 - by_memory(d));
  EXPECT_EQ(*d.first_seq, by_memory(d) + 1);
}

TEST_F(MemoryTest, TwoGreedyDirectoriesEndNearTheirShares) {
  start({.bytes = 256 << 10});
  const DirectoryId first = open("first", greedy());
  const DirectoryId second = open("second", greedy());
  EXPECT_EQ(write(first, 5000), 5000);  // takes everything
  EXPECT_GT(held(first), usable() - 5);
  EXPECT_EQ(write(second, 5000), 5000);  // takes its half back
  EXPECT_NEAR(static_cast<double>(held(first)), static_cast<double>(usable()) / 2, 4);
  EXPECT_NEAR(static_cast<double>(held(second)), static_cast<double>(usable()) / 2, 4);
  write_in_turn({first, second}, 3000);
  EXPECT_NEAR(static_cast<double>(held(first)), static_cast<double>(usable()) / 2, 4);
}

TEST_F(MemoryTest, AQuietDirectoryWithinItsShareLosesNothing) {
  start({.bytes = 256 << 10});
  const DirectoryId quiet = open("quiet", greedy());
  EXPECT_EQ(write(quiet, 100), 100);
  const DirectoryId first = open("first", greedy());
  const DirectoryId second = open("second", greedy(), Kind::status);
  write_in_turn({first, second}, 5000);
  EXPECT_EQ(info("quiet").records, 100u);
  EXPECT_EQ(evicted(info("quiet")), 0u);
}

TEST_F(MemoryTest, AReserveIsNeverTouched) {
  start({.bytes = 256 << 10, .slots = 8});
  const DirectoryId quiet = open("quiet", greedy(64 << 10));
  while (held(quiet) < 64) write(quiet, 1);
  const DirectoryInfo before = info("quiet");
  std::vector<DirectoryId> others;
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) others.push_back(open(name, greedy()));
  write_in_turn(others, 2000);
  EXPECT_EQ(info("quiet").records, before.records);
  EXPECT_EQ(evicted(info("quiet")), 0u);
}

TEST_F(MemoryTest, AReserveIsThereWhenItsOwnerComesLate) {
  start({.bytes = 256 << 10});
  const DirectoryId late = open("late", greedy(64 << 10));
  const DirectoryId greedy_one = open("greedy", greedy());
  EXPECT_EQ(write(greedy_one, 5000), 5000);
  while (held(late) < 60) ASSERT_EQ(write(late, 1), 1);
  EXPECT_EQ(evicted(info("late")), 0u);
  EXPECT_GT(by_memory(info("greedy")), 0u);
}

TEST_F(MemoryTest, AReserveThatIsLoweredIsGivenUp) {
  start({.bytes = 256 << 10});
  const DirectoryId quiet = open("quiet", greedy(150 << 10));
  while (held(quiet) < 140) write(quiet, 1);
  const DirectoryId other = open("other", greedy());
  EXPECT_EQ(write(other, 3000), 3000);
  EXPECT_EQ(evicted(info("quiet")), 0u);
  rig_->apply(quiet, Kind::log, "quiet", greedy());
  EXPECT_EQ(write(other, 3000), 3000);
  EXPECT_GT(by_memory(info("quiet")), 0u);
  EXPECT_NEAR(static_cast<double>(held(quiet)), static_cast<double>(usable()) / 2, 4);
}

TEST_F(MemoryTest, BigRecordsFindTheirPagesUnderPressure) {
  start({.bytes = 512 << 10, .undo_pairs = 1024});
  const DirectoryId small = open("small", greedy());
  const DirectoryId big = open("big", greedy());
  const std::size_t most = rig_->geometry.max_record_bytes() - 8;
  for (int round = 0; round < 30; ++round) {
    EXPECT_EQ(write(small, 50), 50);
    EXPECT_EQ(write(big, 1, most - static_cast<std::size_t>(round) * 997), 1) << round;
  }
  EXPECT_GT(by_memory(info("big")), 0u);
}

//   | hog: everything up to its reserve | poor: no reserve, no page |
TEST_F(MemoryTest, WhereNothingCanBeFreedTheRecordIsDroppedAndNothingWasEvicted) {
  start({.bytes = 128 << 10});
  const DirectoryId hog = open("hog", greedy(1ull << 40));
  while (rig_->engine->pool.available() > 0) ASSERT_EQ(write(hog, 1), 1);
  const DirectoryId poor = open("poor", greedy());
  const DirectoryInfo before = info("hog");
  EXPECT_EQ(write(poor, 10), 0);
  const DirectoryInfo d = info("poor");
  EXPECT_EQ(d.dropped[static_cast<std::size_t>(DropCause::no_memory)], 10u);
  EXPECT_EQ(evicted(d), 0u);
  EXPECT_EQ(evicted(info("hog")), evicted(before));
  ASSERT_TRUE(rig_->engine->close_directory(rig_->state(), hog, false));
  EXPECT_EQ(write(poor, 10), 10) << "a removed directory's pages are free";
}

//   | a: half of its reserve | b: all of its reserve | c: a few pages, over its share of nothing |
// The reserves promise more than there is. A record of `a` wants more than c's pages can give: it is
// dropped, and c keeps them.
TEST_F(MemoryTest, ARecordThatTooLittleCouldBeFreedForEvictsNothing) {
  start({.bytes = 256 << 10, .undo_pairs = 1024});
  const DirectoryId c = open("c", greedy());
  EXPECT_EQ(write(c, 30), 30);
  const std::uint64_t most_of_it = usable() * 6 / 10;
  const DirectoryId a = open("a", greedy(most_of_it * 1024));
  const DirectoryId b = open("b", greedy(most_of_it * 1024));
  while (held(b) < most_of_it) ASSERT_EQ(write(b, 1), 1);
  while (rig_->engine->pool.available() > 0) ASSERT_EQ(write(a, 1), 1);
  ASSERT_EQ(evicted(info("c")), 0u);
  const Verdict verdict = rig_->append(a, "big", std::string(40 << 10, 'v'));
  EXPECT_FALSE(verdict.stored);
  EXPECT_EQ(verdict.cause, DropCause::no_memory);
  EXPECT_EQ(evicted(info("c")), 0u) << "the record was dropped, so nothing may have gone for it";
  EXPECT_EQ(evicted(info("a")) + evicted(info("b")), 0u);
}

TEST_F(MemoryTest, ManySmallDirectoriesAndOneGiant) {
  start({.bytes = 512 << 10, .slots = 40});
  std::vector<DirectoryId> small;
  small.reserve(30);
  for (int i = 0; i < 30; ++i) small.push_back(open("s" + std::to_string(i), greedy()));
  const DirectoryId giant = open("giant", greedy());
  EXPECT_EQ(write(giant, 8000), 8000);
  write_in_turn(small, 10);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(info("s" + std::to_string(i)).records, 10u);
  EXPECT_EQ(evicted(info("s0")), 0u);
  EXPECT_GT(by_memory(info("giant")), 0u);
}

TEST_F(MemoryTest, WhatMemoryTookSurvivesARestart) {
  start({.bytes = 128 << 10});
  const DirectoryId a = open("a", greedy());
  const DirectoryId b = open("b", greedy(), Kind::status);
  write_in_turn({a, b}, 3000);
  const auto text = [&] {
    Reader reader = rig_->reader();
    return describe(reader, "a") + describe(reader, "b");
  };
  const std::string before = text();
  rig_->attach();
  EXPECT_EQ(text(), before);
  write_in_turn({a, b}, 3000);
}

}  // namespace
}  // namespace mayfly::shm::test
