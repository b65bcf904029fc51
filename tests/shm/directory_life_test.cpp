// The cases that have broken engines like this one before: rewrites and rebirths, records across
// pages, records that were moved, readers that are overtaken, clocks, closing and opening again.
#include "tests/shm/directory_fixture.h"

namespace mayfly::shm::test {
namespace {

using Lives = DirectoryFixture;
using Pages = DirectoryFixture;
using Times = DirectoryFixture;

// --- keys that go and come ----------------------------------------------------------------------

TEST_F(Lives, ARewriteOfAnEvictedKeyDoesNotBringItsRecordsBack) {
  Quotas q = roomy();
  q.max_keys = 2;
  for (const Kind kind : {Kind::log, Kind::status}) {
    start(kind, q);
    ASSERT_TRUE(stored("a", "old") && stored("b", "1") && stored("c", "1"));
    EXPECT_EQ(contents(), "b=1 c=1");
    ASSERT_TRUE(stored("a", "new"));
    EXPECT_EQ(contents(), "c=1 a=new");
    q.max_keys = 100;
    apply(q);
    EXPECT_EQ(contents(), "c=1 a=new");
    q.max_keys = 2;
  }
}

TEST_F(Lives, AKeyBornAgainCountsItsRecordsFromZero) {
  start(Kind::log, roomy());
  for (const char* value : {"1", "2", "3"}) ASSERT_TRUE(stored("a", value));
  ASSERT_TRUE(rig_->unset(id_, "a"));
  ASSERT_TRUE(stored("a", "4") && stored("a", "5"));
  Reader reader = rig_->reader();
  const auto snapshot = reader.snapshot(info());
  ASSERT_EQ(snapshot.records.size(), 2u);
  EXPECT_EQ(snapshot.records[0].ordinal, 0u);
  EXPECT_EQ(snapshot.records[1].ordinal, 1u);
  EXPECT_EQ(snapshot.records[0].seq, 4u) << "seq is the directory's and goes on";
}

TEST_F(Lives, OrdinalsOfAKeyShowHowManyOfItWereMissed) {
  Quotas q = roomy();
  q.max_events_per_key = 2;
  start(Kind::log, q);
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(stored("a", std::to_string(i)) && stored("b", "x"));
  Reader reader = rig_->reader();
  EXPECT_EQ(reader.get(info(), "a")->ordinal, 6u);
}

TEST_F(Lives, AClosedDirectoryLeavesItsTotalsAndComesBackEmptyWithAnotherIncarnation) {
  start(Kind::log, roomy());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(stored("k" + std::to_string(i % 7), std::string(100, 'v')));
  EXPECT_EQ(drop("", std::string(rig_->geometry.max_record_bytes() + 1, 'v')), "record_too_large");
  ASSERT_TRUE(rig_->unset(id_, "k1"));
  const DirectoryInfo before = info();
  EXPECT_FALSE(rig_->engine->close_directory(rig_->state(), id_, true)) << "not empty";
  ASSERT_TRUE(rig_->engine->close_directory(rig_->state(), id_, false));
  Reader reader = rig_->reader();
  EXPECT_FALSE(reader.find("d").has_value());
  EXPECT_FALSE(reader.snapshot(before).found);
  EXPECT_FALSE(rig_->worker().begin(id_, rig_->clocks.now()));
  const SegmentInfo segment = reader.info();
  EXPECT_EQ(segment.removed_stored, 40u);
  EXPECT_EQ(segment.removed_evicted[static_cast<std::size_t>(EvictCause::unset)], 6u);
  EXPECT_EQ(segment.removed_evicted[static_cast<std::size_t>(EvictCause::directory_removed)], 34u);
  EXPECT_EQ(segment.removed_dropped[static_cast<std::size_t>(DropCause::record_too_large)], 1u);
  EXPECT_EQ(segment.pages_free, segment.pages_total);

  id_ = rig_->open("d", Kind::status, roomy());
  EXPECT_EQ(info().stored, 0u);
  EXPECT_EQ(info().next_seq, 1u);
  EXPECT_GT(info().incarnation, before.incarnation);
  EXPECT_FALSE(reader.snapshot(before).found) << "the old incarnation is not the new one";
  ASSERT_TRUE(stored("k1", "1"));
  EXPECT_EQ(contents(), "k1=1");
  ASSERT_TRUE(rig_->engine->close_directory(rig_->state(), id_, false));
  EXPECT_EQ(reader.info().removed_stored, 41u) << "totals add up over all who had the slot";
  id_ = rig_->open("d", Kind::log, roomy());
}

TEST_F(Lives, NamesAndKindsAndSlotsAreJudgedAtOpening) {
  start(Kind::log, roomy(), {.slots = 5});
  const auto open = [&](Kind kind, const std::string& name) {
    rig_->state().now = rig_->clocks.now();
    return rig_->engine->open_directory(rig_->state(), {kind, name, Quotas{}, 1, 1, 1});
  };
  EXPECT_EQ(open(Kind::log, "d").error().code, Errc::busy);
  EXPECT_TRUE(open(Kind::status, "d").ok()) << "log and status are two spaces of names";
  EXPECT_EQ(rig_->reader().find(Kind::status, "d")->kind, Kind::status);
  EXPECT_EQ(rig_->reader().find(Kind::log, "d")->kind, Kind::log);
  for (const std::string& name : {std::string(), std::string(".a"), std::string("-a"), std::string("a/b"),
                                  std::string("a b"), std::string(129, 'a'), std::string("a\0b", 3)}) {
    EXPECT_EQ(open(Kind::log, name).error().code, Errc::invalid) << name;
  }
  EXPECT_EQ(open(Kind::none, "x").error().code, Errc::invalid);
  EXPECT_TRUE(open(Kind::log, std::string(128, 'a')).ok());
  EXPECT_TRUE(open(Kind::log, "_").ok() && open(Kind::status, "9.-_").ok());
  EXPECT_EQ(open(Kind::log, "one.too.many").error().code, Errc::no_space);
}

TEST_F(Lives, AnIndexOfTwentyThousandKeysGrowsAndStaysExactUnderChurn) {
  Quotas q = roomy();
  q.max_keys = 20'000;
  start(Kind::status, q, {.bytes = 16 << 20, .page_bytes = 4096, .undo_pairs = 2048});
  const auto key = [](int i) { return "key-" + std::to_string(i); };
  for (int i = 0; i < 20'000; ++i) ASSERT_TRUE(stored(key(i), "v"));
  EXPECT_EQ(info().keys, 20'000u);
  EXPECT_GT(turnover().index_grown, 100u);
  expect_sound(*rig_);
  // 200,000 births, each of which evicts a key whole.
  for (int i = 20'000; i < 220'000;) {
    Worker w = rig_->worker();
    ASSERT_TRUE(w.begin(id_, rig_->clocks.now()));
    for (int n = 0; n < 100; ++n, ++i) ASSERT_TRUE(w.append(key(i), "v").stored);
    w.commit();
  }
  EXPECT_EQ(info().keys, 20'000u);
  EXPECT_EQ(evicted(EvictCause::keys), 200'000u);
  Reader reader = rig_->reader();
  EXPECT_TRUE(reader.get(info(), key(200'000)).has_value());
  EXPECT_FALSE(reader.get(info(), key(199'999)).has_value());
}

// --- pages --------------------------------------------------------------------------------------

//      page 1         page 2         page 3                 a record larger than a page has
//   [ ..small.. ] [ head value ] [ value end| ]             a run of pages of its own
TEST_F(Pages, RecordsOfOneByteTo16MiBSurviveAroundEveryPageBound) {
  Quotas q = roomy();
  q.max_total_bytes = 40 << 20;
  start(Kind::log, q, {.bytes = 96 << 20, .page_bytes = 16384, .undo_pairs = 4096});
  ASSERT_EQ(rig_->geometry.max_record_bytes(), kMaxRecordBytes);
  std::vector<std::uint64_t> sizes = {1, 2, 7, 8, 9, 100};
  for (const std::uint64_t pages : {1u, 2u, 3u, 64u, 1023u}) {
    for (int d = -9; d <= 9; ++d)
      sizes.push_back(pages * 16384 - kRecordHeaderBytes + static_cast<std::uint64_t>(d));
  }
  for (std::uint64_t n = 0; n < 3; ++n) sizes.push_back(kMaxRecordBytes - n);
  int number = 0;
  for (const std::uint64_t size : sizes) {
    std::string value(size - 1, '\0');
    for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<char>((i * 31 + size) >> 3);
    const std::string key(1, static_cast<char>('a' + number++ % 5));
    ASSERT_TRUE(stored(key, value)) << size;
    Reader reader = rig_->reader();
    const auto got = reader.get(info(), key);
    ASSERT_TRUE(got.has_value()) << size;
    ASSERT_TRUE(got->value == value) << size;
  }
  EXPECT_EQ(drop("a", std::string(kMaxRecordBytes, 'v')), "record_too_large");
  EXPECT_GT(evicted(EvictCause::total_bytes), 0u);
}

TEST_F(Pages, TheLargestRecordFitsTheUndoLogWhateverTheBatchDidBefore) {
  Quotas q = roomy();
  q.max_keys = 40;
  for (const std::uint32_t undo_pairs : {256u, 300u, 600u}) {
    start(Kind::log, q, {.bytes = 4 << 20, .undo_pairs = undo_pairs});
    const std::string large(rig_->geometry.max_record_bytes() - 4, 'v');
    WorkerArea& next_area = rig_->engine->segment.area(1);
    rig_->worker(1).heartbeat(12345);
    for (int before = 0; before < 60; ++before) {
      Worker w = rig_->worker();
      ASSERT_TRUE(w.begin(id_, rig_->clocks.now()));
      for (int i = 0; i < before; ++i)
        ASSERT_TRUE(w.append("k" + std::to_string(i * before % 77), "small").stored);
      ASSERT_TRUE(w.append("big", large).stored);
      ASSERT_EQ(next_area.connections, 12345u) << "the undo log ran over its end";
      ASSERT_EQ(next_area.undo_count, 0u);
      w.commit();
      if (before % 10 == 0) expect_sound(*rig_);
    }
  }
}

TEST_F(Pages, AKeyMayCrossPagesToo) {
  start(Kind::status, roomy());
  for (const std::size_t length : {900u, 959u, 960u, 961u, 968u, 2000u, 5000u}) {
    const std::string key(length, 'k');
    ASSERT_TRUE(stored(key, "1") && stored(key, "22"));
    Reader reader = rig_->reader();
    EXPECT_EQ(reader.get(info(), key)->value, "22");
  }
  EXPECT_EQ(info().replaced, 7u);
  EXPECT_TRUE(rig_->unset(id_, std::string(5000, 'k')));
}

//   [ a . . ] [ . b . ] [ c c c ]   most of two pages dies; what is left moves into one page
//   [ a b ............] [ c c c ]   at the same place: a and b are still the oldest
TEST_F(Pages, AMovedRecordStaysTheOldestAndGoesFirst) {
  Quotas q = roomy();
  q.max_events_per_key = 4;
  start(Kind::log, q);
  rig_->engine->compact_eagerly = true;
  const std::string value(100, 'v');
  ASSERT_TRUE(stored("first", "1"));
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(stored("noise", value));
  ASSERT_TRUE(stored("second", "2"));
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(stored("noise", value));
  ASSERT_GT(turnover().merged, 0u);
  Reader reader = rig_->reader();
  EXPECT_EQ(info().first_seq, 1u);
  EXPECT_EQ(reader.get(info(), "first")->value, "1");
  EXPECT_EQ(reader.get(info(), "second")->seq, 10u);
  rig_->attach();
  q.max_total_bytes = info().bytes - 1;
  apply(q);
  EXPECT_EQ(info().first_seq, 10u);
  q.max_total_bytes = info().bytes - 1;
  apply(q);
  EXPECT_EQ(info().first_seq, 47u);
  EXPECT_EQ(evicted(EvictCause::quota_lowered), 2u);
}

TEST_F(Pages, AnEmptiedDirectoryGivesAllItsPagesBack) {
  start(Kind::log, roomy());
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(stored("k" + std::to_string(i), std::string(200, 'v')));
  Quotas q = roomy();
  q.max_keys = 0;
  apply(q);
  const SegmentInfo segment = rig_->reader().info();
  EXPECT_EQ(segment.pages_free, segment.pages_total);
  apply(roomy());
  EXPECT_TRUE(stored("k", "v"));
}

//   reader:  1 2 | -> sink: the writer turns the whole directory over, twice | -> what is left
TEST_F(Pages, AReaderOvertakenByAFullTurnLosesOnlyWhatIsGone) {
  Quotas q = roomy();
  q.max_total_bytes = 3000;
  start(Kind::log, q);
  int written = 0;
  const auto write = [&](int n) {
    for (; n > 0; --n, ++written) ASSERT_TRUE(stored("k", std::to_string(written) + std::string(60, '.')));
  };
  write(100);
  for (const int turn : {20, 60, 300, 5000}) {
    Reader reader = rig_->reader();
    Cursor cursor;
    std::uint64_t last = 0;
    std::uint64_t handed_out = 0;
    const std::uint64_t end = info().next_seq;
    const ReadResult result = reader.read(info(), cursor, {}, [&](const RecordView& r) {
      EXPECT_GT(r.seq, last);
      EXPECT_EQ(r.value, std::to_string(r.seq - 1) + std::string(60, '.')) << "torn";
      last = r.seq;
      if (++handed_out == 2) write(turn);
      return true;
    });
    EXPECT_TRUE(result.reached_end);
    EXPECT_FALSE(result.partial);
    EXPECT_LE(result.restarts, 2u);
    EXPECT_EQ(cursor.next_seq, end) << "what came during the read is for the next one";
    EXPECT_LT(last, end);
  }
}

// --- time ---------------------------------------------------------------------------------------

TEST_F(Times, TimeIsAtLeastOneNanosecondAfterTheRecordBefore) {
  start(Kind::log, roomy());
  const std::uint64_t t = rig_->clocks.wall;
  EXPECT_EQ(append("a", "1").time_ns, t);
  EXPECT_EQ(append("a", "2").time_ns, t + 1);
  rig_->clocks.wall = t - 999'999'999;  // set back by up to a second: as before
  EXPECT_EQ(append("a", "3").time_ns, t + 2);
  rig_->clocks.wall = t + 2 - 1'000'000'000;
  EXPECT_EQ(append("a", "4").time_ns, t + 3);
  rig_->clocks.wall = t + 3 - 1'000'000'001;  // by more: as the clock says
  EXPECT_EQ(append("a", "5").time_ns, t + 3 - 1'000'000'001);
  rig_->clocks.wall = t + 10;
  EXPECT_EQ(append("a", "6").time_ns, t + 10);
  EXPECT_EQ(info().last_time_ns, t + 10);
  rig_->attach();
  EXPECT_EQ(append("a", "7").time_ns, t + 11) << "also over a restart";
}

TEST_F(Times, TheBootClockOfRecordsNeverGoesBack) {
  start(Kind::log, roomy());
  const std::uint64_t boot = rig_->clocks.boot;
  ASSERT_TRUE(stored("a", "1"));
  rig_->clocks.boot -= 5;
  ASSERT_TRUE(stored("a", "2"));
  Reader reader = rig_->reader();
  for (const RecordView& r : reader.snapshot(info()).records) EXPECT_EQ(r.boot_ns, boot);
}

TEST_F(Times, SequenceNumbersAreTheDirectorysAndOutliveEverything) {
  Quotas q = roomy();
  q.max_keys = 1;
  start(Kind::status, q);
  for (std::uint64_t i = 1; i <= 20; ++i) EXPECT_EQ(append("k" + std::to_string(i % 3), "v").seq, i);
  ASSERT_TRUE(rig_->unset(id_, "k2"));
  EXPECT_FALSE(info().first_seq.has_value());
  EXPECT_EQ(info().next_seq, 21u);
  rig_->attach();
  EXPECT_EQ(append("k", "v").seq, 21u);
}

}  // namespace
}  // namespace mayfly::shm::test
