// Reading: forward with a cursor, backward, by time, by key, one moment; what is due is hidden; a
// sleeping reader is woken.
#include "shm/reader.h"

#include <xxhash.h>

#include "tests/shm/directory_fixture.h"

namespace mayfly::shm::test {
namespace {

class ReaderTest : public DirectoryFixture {
 protected:
  /// Records 1..n, a second apart, keys k0..k4 in turn.
  void fill(int n, std::size_t value_bytes = 20) {
    for (int i = 1; i <= n; ++i) {
      ASSERT_TRUE(stored("k" + std::to_string(i % 5), std::to_string(i) + std::string(value_bytes, '.')));
      rig_->clocks.advance(kSecond);
    }
  }
  /// Seqs that one read hands out.
  std::vector<std::uint64_t> read(Cursor& cursor, const ReadLimits& limits = {},
                                  ReadResult* result = nullptr) {
    Reader reader = rig_->reader();
    std::vector<std::uint64_t> seqs;
    const ReadResult r = reader.read(info(), cursor, limits, [&](const RecordView& record) {
      seqs.push_back(record.seq);
      return true;
    });
    if (result != nullptr) *result = r;
    return seqs;
  }
  static std::vector<std::uint64_t> range(std::uint64_t from, std::uint64_t to) {
    std::vector<std::uint64_t> all;
    for (; from < to; ++from) all.push_back(from);
    return all;
  }
  static constexpr std::uint64_t kSecond = 1'000'000'000;
};

TEST_F(ReaderTest, ACursorGoesOnWhereItStopped) {
  start(Kind::log, roomy());
  fill(100);
  Cursor cursor;
  std::vector<std::uint64_t> seen;
  ReadResult result;
  do {
    const auto some = read(cursor, {.max_records = 7}, &result);
    EXPECT_LE(some.size(), 7u);
    seen.insert(seen.end(), some.begin(), some.end());
  } while (!result.reached_end);
  EXPECT_EQ(seen, range(1, 101));
  EXPECT_EQ(cursor.next_seq, 101u);
  EXPECT_TRUE(read(cursor).empty());
  fill(3);
  EXPECT_EQ(read(cursor), range(101, 104));
}

TEST_F(ReaderTest, ACursorIsGoodWithoutItsHintAndAfterARestartOfTheWriter) {
  start(Kind::log, roomy());
  fill(100);
  Cursor cursor;
  read(cursor, {.max_records = 40});
  ASSERT_NE(cursor.place_hint, 0u);
  rig_->attach();
  Cursor plain{cursor.next_seq, 0};
  EXPECT_EQ(read(plain), range(41, 101));
  EXPECT_EQ(read(cursor), range(41, 101));
}

TEST_F(ReaderTest, AHintToAPageThatWasReusedOnlyCostsARestart) {
  Quotas q = roomy();
  q.max_total_bytes = 4000;
  start(Kind::log, q);
  fill(100);
  Cursor cursor;
  read(cursor, {.max_records = 3});
  ASSERT_NE(cursor.place_hint, 0u);
  fill(2000);
  ReadResult result;
  EXPECT_EQ(read(cursor, {}, &result), range(*info().first_seq, 2101));
  EXPECT_LE(result.restarts, 1u);
}

TEST_F(ReaderTest, LimitsBoundWhatIsHandedOutAndVisited) {
  start(Kind::log, roomy());
  fill(200, 100);
  Cursor cursor{50, 0};
  EXPECT_EQ(read(cursor, {.until_seq = 60}), range(50, 60));
  ReadResult result;
  cursor = {};
  EXPECT_EQ(read(cursor, {.max_bytes = 1}, &result), range(1, 2)) << "at least one record";
  EXPECT_FALSE(result.reached_end);
  cursor = {};
  const auto some = read(cursor, {.max_bytes = 4000}, &result);
  EXPECT_LT(some.size(), 60u);
  EXPECT_GE(result.visited_bytes, 4000u);
  EXPECT_LT(result.visited_bytes, 8000u);
  cursor = {500, 0};
  EXPECT_TRUE(read(cursor, {}, &result).empty()) << "a cursor of the future waits";
  EXPECT_EQ(cursor.next_seq, 500u);
}

TEST_F(ReaderTest, ASinkMayStopTheRead) {
  start(Kind::log, roomy());
  fill(10);
  Reader reader = rig_->reader();
  Cursor cursor;
  const ReadResult result = reader.read(info(), cursor, {}, [](const RecordView& r) { return r.seq < 4; });
  EXPECT_FALSE(result.reached_end);
  EXPECT_EQ(cursor.next_seq, 5u) << "the record was taken all the same";
}

TEST_F(ReaderTest, TheLastNAreFoundFromTheEnd) {
  start(Kind::log, roomy());
  fill(1000);
  Reader reader = rig_->reader();
  EXPECT_EQ(reader.seek_last(info(), 10, nullptr), 991u);
  EXPECT_EQ(reader.seek_last(info(), 0, nullptr), 1001u);
  EXPECT_EQ(reader.seek_last(info(), 5000, nullptr), 1u);
  const auto of_k3 = [](const RecordView& r) { return r.key == "k3"; };
  EXPECT_EQ(reader.seek_last(info(), 2, of_k3), 993u);  // 998 and 993
  EXPECT_EQ(reader.seek_last(info(), 2, [](const RecordView&) { return false; }), 1001u);
  const std::uint64_t before = reader.bytes_read();
  reader.seek_last(info(), 10, nullptr);
  EXPECT_LT(reader.bytes_read() - before, 4096u) << "only the end was read";
}

TEST_F(ReaderTest, TheVisitOfASeekIsBounded) {
  start(Kind::log, roomy());
  fill(1000);
  Reader reader = rig_->reader();
  const std::uint64_t before = reader.bytes_read();
  reader.seek_last(
      info(), 1, [](const RecordView&) { return false; }, 5000);
  EXPECT_LT(reader.bytes_read() - before, 8000u);
}

TEST_F(ReaderTest, ATimeIsFoundByItsRecord) {
  start(Kind::log, roomy());
  const std::uint64_t t = rig_->clocks.wall;
  fill(500);
  Reader reader = rig_->reader();
  EXPECT_EQ(reader.seek_time(info(), 0), 1u);
  EXPECT_EQ(reader.seek_time(info(), t + 100 * kSecond), 101u);
  EXPECT_EQ(reader.seek_time(info(), t + 100 * kSecond + 1), 102u);
  EXPECT_EQ(reader.seek_time(info(), ~0ull), 501u);
}

TEST_F(ReaderTest, EmptyDirectoriesAreReadToo) {
  for (const Kind kind : {Kind::log, Kind::status}) {
    start(kind, roomy());
    Reader reader = rig_->reader();
    Cursor cursor;
    EXPECT_TRUE(read(cursor).empty());
    EXPECT_EQ(cursor.next_seq, 1u);
    EXPECT_EQ(reader.seek_last(info(), 1, nullptr), 1u);
    EXPECT_EQ(reader.seek_time(info(), 0), 1u);
    EXPECT_FALSE(reader.get(info(), "k").has_value());
    EXPECT_TRUE(reader.snapshot(info()).found);
    EXPECT_FALSE(info().first_seq.has_value());
    EXPECT_EQ(info().last_time_ns, 0u);
  }
}

TEST_F(ReaderTest, ADirectoryThatIsGoneReadsAsEmpty) {
  start(Kind::log, roomy());
  fill(5);
  const DirectoryInfo gone = info();
  rig_->engine->close_directory(rig_->state(), id_, false);
  Reader reader = rig_->reader();
  Cursor cursor;
  const auto none = [](const RecordView&) { return ADD_FAILURE(), true; };
  EXPECT_TRUE(reader.read(gone, cursor, {}, none).reached_end);
  EXPECT_FALSE(reader.snapshot(gone).found);
  EXPECT_FALSE(reader.get(gone, "k1").has_value());
  DirectoryInfo nowhere = gone;
  nowhere.id = 1u << 30;
  EXPECT_FALSE(reader.snapshot(nowhere).found);
  EXPECT_EQ(reader.generation(nowhere.id), 0u);
}

TEST_F(ReaderTest, NewestValuesAndWholeMomentsKeepTheirBytes) {
  start(Kind::status, roomy());
  const std::string odd("\0\xff\n\x80 x", 6);
  ASSERT_TRUE(stored(odd, odd) && stored("", "empty key") && stored("empty value", ""));
  Reader reader = rig_->reader();
  EXPECT_EQ(reader.get(info(), odd)->value, odd);
  EXPECT_EQ(reader.get(info(), "")->value, "empty key");
  EXPECT_EQ(reader.get(info(), "empty value")->value, "");
  EXPECT_FALSE(reader.get(info(), "other").has_value());
  Reader::Snapshot moved = reader.snapshot(info());
  const Reader::Snapshot kept = std::move(moved);
  EXPECT_EQ(kept.records[0].key, odd) << "views outlive a move of the snapshot";
}

// --- age ----------------------------------------------------------------------------------------

TEST_F(ReaderTest, WhatIsDueIsHiddenEverywhereWhileTheWriterIsDead) {
  Quotas q = roomy();
  q.max_age_seconds = 10;
  start(Kind::log, q);
  fill(8);
  rig_->clocks.boot += 4 * kSecond;  // records 1..3 are due; nobody commits
  const DirectoryInfo d = info();
  EXPECT_EQ(d.records, 5u);
  EXPECT_EQ(*d.first_seq, 4u);
  EXPECT_EQ(d.keys, 5u);
  EXPECT_EQ(d.evicted[static_cast<std::size_t>(EvictCause::age)], 3u);
  expect_balanced(d);
  Reader reader = rig_->reader();
  EXPECT_EQ(reader.snapshot(d).records.size(), 5u);
  Cursor cursor;
  EXPECT_EQ(read(cursor), range(4, 9));
  EXPECT_EQ(reader.seek_last(d, 100, nullptr), 4u);
  EXPECT_TRUE(reader.get(d, "k4").has_value());
  rig_->clocks.boot += kSecond;
  EXPECT_FALSE(reader.get(info(), "k4").has_value());
  EXPECT_EQ(reader.directories().at(0).records, 4u);
}

TEST_F(ReaderTest, OnAnotherBootAgeIsAsOfTheLastHeartbeat) {
  Quotas q = roomy();
  q.max_age_seconds = 10;
  start(Kind::log, q);
  fill(3);
  rig_->worker().heartbeat(7);
  auto& constants = reinterpret_cast<Header*>(rig_->memory.data())->constants;
  const Word boot_id = constants.boot_id_low;
  const Word checksum = constants.checksum;
  constants.boot_id_low ^= 1;
  constants.checksum = XXH3_64bits(&constants, offsetof(HeaderConstants, checksum));
  rig_->clocks.boot += 3600 * kSecond;
  const SegmentInfo segment = rig_->reader().info();
  EXPECT_FALSE(segment.same_boot);
  EXPECT_EQ(segment.workers.at(0).connections, 7u);
  EXPECT_EQ(info().records, 3u);
  rig_->worker().heartbeat(7);
  EXPECT_EQ(info().records, 0u);
  rig_->clocks.boot -= 3600 * kSecond;
  rig_->worker().heartbeat(7);
  constants.boot_id_low = boot_id;
  constants.checksum = checksum;
}

// --- one moment ---------------------------------------------------------------------------------

TEST_F(ReaderTest, NothingOfAnOpenBatchIsVisible) {
  start(Kind::status, roomy());
  ASSERT_TRUE(stored("a", "old") && stored("b", "1"));
  const std::string before = text();
  Worker w = rig_->worker();
  ASSERT_TRUE(w.begin(id_, rig_->clocks.now()));
  ASSERT_TRUE(w.append("a", "new").stored && w.append("c", std::string(3000, 'v')).stored);
  ASSERT_TRUE(w.unset("b"));
  EXPECT_EQ(text(), before);
  Reader reader = rig_->reader();
  EXPECT_EQ(reader.get(info(), "a")->value, "old");
  EXPECT_TRUE(reader.get(info(), "b").has_value());
  EXPECT_FALSE(reader.get(info(), "c").has_value());
  w.commit();
  EXPECT_EQ(reader.get(info(), "a")->value, "new");
  EXPECT_EQ(info().keys, 2u);
}

TEST_F(ReaderTest, RecordsEvictedWhileAReadRunsAreLeftOut) {
  start(Kind::log, roomy());
  fill(200);
  Reader reader = rig_->reader();
  Cursor cursor;
  std::vector<std::uint64_t> seen;
  reader.read(info(), cursor, {}, [&](const RecordView& r) {
    if (r.seq == 1) {
      Quotas q = roomy();
      q.max_events_per_key = 4;
      apply(q);
    }
    seen.push_back(r.seq);
    return true;
  });
  // What was copied before the eviction may still come; the newest of every key all do.
  EXPECT_LT(seen.size(), 60u);
  EXPECT_EQ(std::vector<std::uint64_t>(seen.end() - 20, seen.end()), range(181, 201));
}

TEST_F(ReaderTest, DirectoriesAreSortedAndFoundByName) {
  start(Kind::status, roomy(), {.slots = 8});
  rig_->open("z", Kind::log, Quotas{});
  rig_->open("a", Kind::log, Quotas{});
  rig_->open("b", Kind::status, Quotas{});
  Reader reader = rig_->reader();
  std::string names;
  for (const DirectoryInfo& d : reader.directories()) names += d.name + " ";
  EXPECT_EQ(names, "a z b d ");
  EXPECT_EQ(reader.find("b")->kind, Kind::status);
  EXPECT_FALSE(reader.find("").has_value());
  EXPECT_FALSE(reader.find("aa").has_value());
}

TEST_F(ReaderTest, DropsWithoutADirectoryAreTheSegments) {
  start(Kind::log, roomy());
  rig_->worker(0).count_unattributed(DropCause::unknown_directory);
  rig_->worker(1).count_unattributed(DropCause::unknown_directory, 4);
  rig_->worker(1).count_unattributed(DropCause::stopped);
  const SegmentInfo segment = rig_->reader().info();
  EXPECT_EQ(segment.unattributed[static_cast<std::size_t>(DropCause::unknown_directory)], 5u);
  EXPECT_EQ(segment.unattributed[static_cast<std::size_t>(DropCause::stopped)], 1u);
}

}  // namespace
}  // namespace mayfly::shm::test
