// What becomes of a record: every cause of a drop and of an eviction, in the contract's order, with
// exact counters.
#include "tests/shm/directory_fixture.h"

namespace mayfly::shm::test {
namespace {

using Drops = DirectoryFixture;
using Evictions = DirectoryFixture;

// --- drops --------------------------------------------------------------------------------------

TEST_F(Drops, AKeyOverItsLengthIsNamedBeforeItsValue) {
  Quotas q = roomy();
  q.max_key_bytes = 3;
  q.max_value_bytes = 4;
  start(Kind::log, q);
  EXPECT_EQ(drop("abcd", "12345"), "key_too_long");
  EXPECT_EQ(drop("abc", "12345"), "value_too_long");
  EXPECT_TRUE(stored("abc", "1234"));
  EXPECT_EQ(dropped(DropCause::key_too_long), 1u);
  EXPECT_EQ(dropped(DropCause::value_too_long), 1u);
}

TEST_F(Drops, ARecordThatCouldNeverFitIsTooLarge) {
  Quotas q = roomy();
  q.max_total_bytes = 10;
  q.max_keys = 0;  // judged after the size
  start(Kind::log, q);
  EXPECT_EQ(drop("abc", "12345678"), "record_too_large");
  EXPECT_EQ(drop("abc", "1234567"), "too_many_keys");
  q = roomy();
  q.max_bytes_per_key = 10;
  apply(q);
  EXPECT_EQ(drop("abc", "12345678"), "record_too_large");
  EXPECT_TRUE(stored("abc", "1234567"));
}

TEST_F(Drops, ARecordLargerThanTheEngineHoldsIsTooLarge) {
  start(Kind::log, roomy());
  const std::uint64_t most = rig_->geometry.max_record_bytes();
  EXPECT_TRUE(stored("k", std::string(most - 1, 'v')));
  EXPECT_EQ(drop("k", std::string(most, 'v')), "record_too_large");
}

TEST_F(Drops, NoKeysComesBeforeNoEvents) {
  Quotas q = roomy();
  q.max_keys = q.max_events_per_key = 0;
  start(Kind::log, q);
  EXPECT_EQ(drop("k", "v"), "too_many_keys");
  q.max_keys = 1;
  apply(q);
  EXPECT_EQ(drop("k", "v"), "too_many_events");
}

TEST_F(Drops, AStatusKnowsNoEventsQuota) {
  Quotas q = roomy();
  q.max_events_per_key = 0;
  start(Kind::status, q);
  EXPECT_TRUE(stored("k", "v"));
}

TEST_F(Drops, WhenKeysAreFullAndTheRuleSaysDropOnlyNewKeysAreDropped) {
  Quotas q = roomy();
  q.max_keys = 2;
  q.drop_when_keys_full = true;
  start(Kind::log, q);
  EXPECT_TRUE(stored("a", "1") && stored("b", "1"));
  EXPECT_EQ(drop("c", "1"), "too_many_keys");
  EXPECT_TRUE(stored("a", "2"));
  EXPECT_EQ(contents(), "a=1 b=1 a=2");
  EXPECT_EQ(evicted_in_all(), 0u);
}

TEST_F(Drops, SizeQuotasOfZeroAdmitOnlyWhatIsEmpty) {
  Quotas q = roomy();
  q.max_key_bytes = q.max_value_bytes = q.max_total_bytes = q.max_bytes_per_key = 0;
  start(Kind::log, q);
  EXPECT_EQ(drop("k", ""), "key_too_long");
  EXPECT_EQ(drop("", "v"), "value_too_long");
  EXPECT_TRUE(stored("", "") && stored("", ""));
  EXPECT_EQ(info().records, 2u);
}

TEST_F(Drops, ARecordThatEndsDroppedHasEvictedNothing) {
  Quotas q = roomy();
  q.max_keys = 2;
  q.max_events_per_key = 2;
  q.max_total_bytes = 12;
  q.max_value_bytes = 8;
  start(Kind::log, q);
  for (const char* key : {"a", "b", "a", "b"}) ASSERT_TRUE(stored(key, "12"));
  EXPECT_EQ(drop("c", "123456789"), "value_too_long");
  EXPECT_EQ(drop("ccccc", "12345678"), "record_too_large");
  EXPECT_EQ(contents(), "a=12 b=12 a=12 b=12");
  EXPECT_EQ(evicted_in_all(), 0u);
}

TEST_F(Drops, LengthsAloneGiveTheSameCauseAsTheRecord) {
  Quotas q = roomy();
  q.max_key_bytes = 4;
  q.max_value_bytes = 40;
  q.max_total_bytes = 42;
  start(Kind::log, q);
  Worker w = rig_->worker();
  ASSERT_TRUE(w.begin(id_, rig_->clocks.now()));
  EXPECT_EQ(w.judge_lengths(5, 1ull << 40), DropCause::key_too_long);
  EXPECT_EQ(w.judge_lengths(4, ~0ull), DropCause::value_too_long);
  EXPECT_EQ(w.judge_lengths(4, 39), DropCause::record_too_large);
  EXPECT_EQ(w.judge_lengths(3, 39), std::nullopt);
  w.count_drop(DropCause::value_too_long);
  w.commit();
  EXPECT_EQ(dropped(DropCause::value_too_long), 1u);
  EXPECT_EQ(dropped(DropCause::key_too_long), 0u) << "judging does not count";
}

// --- evictions ----------------------------------------------------------------------------------

TEST_F(Evictions, TheLeastRecentlyWrittenKeyGoesWhole) {
  Quotas q = roomy();
  q.max_keys = 2;
  start(Kind::log, q);
  for (const char* key : {"a", "b", "a", "c"}) ASSERT_TRUE(stored(key, "1"));
  EXPECT_EQ(contents(), "a=1 a=1 c=1");  // b was written before the second a
  ASSERT_TRUE(stored("b", "2"));         // and born again
  EXPECT_EQ(contents(), "c=1 b=2");
  EXPECT_EQ(evicted(EvictCause::keys), 3u);
}

TEST_F(Evictions, AKeysOldestGoWhenItHasTooManyEvents) {
  Quotas q = roomy();
  q.max_events_per_key = 2;
  start(Kind::log, q);
  for (const char* value : {"1", "2", "3"}) ASSERT_TRUE(stored("a", value));
  ASSERT_TRUE(stored("b", "1"));
  EXPECT_EQ(contents(), "a=2 a=3 b=1");
  EXPECT_EQ(evicted(EvictCause::events_per_key), 1u);
}

TEST_F(Evictions, AKeysOldestGoWhenItHasTooManyBytes) {
  Quotas q = roomy();
  q.max_bytes_per_key = 9;
  start(Kind::log, q);
  for (const char* value : {"12", "34", "56"}) ASSERT_TRUE(stored("a", value));
  ASSERT_TRUE(stored("b", "12345678"));
  ASSERT_TRUE(stored("a", "789a"));  // 5 bytes beside at most 4
  EXPECT_EQ(contents(), "a=56 b=12345678 a=789a");
  EXPECT_EQ(evicted(EvictCause::bytes_per_key), 2u);
}

TEST_F(Evictions, EventsGoBeforeBytesWhereAKeyIsOverBoth) {
  Quotas q = roomy();
  q.max_events_per_key = 2;
  q.max_bytes_per_key = 6;
  start(Kind::log, q);
  ASSERT_TRUE(stored("a", "12") && stored("a", "34"));
  ASSERT_TRUE(stored("a", "56789"));  // one by events, then one by bytes
  EXPECT_EQ(contents(), "a=56789");
  EXPECT_EQ(evicted(EvictCause::events_per_key), 1u);
  EXPECT_EQ(evicted(EvictCause::bytes_per_key), 1u);
}

TEST_F(Evictions, TheOldestOfALogGoWhenTheDirectoryIsOverItsTotal) {
  Quotas q = roomy();
  q.max_total_bytes = 6;
  start(Kind::log, q);
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(stored(key, "1"));
  ASSERT_TRUE(stored("d", "123"));
  EXPECT_EQ(contents(), "c=1 d=123");
  EXPECT_EQ(evicted(EvictCause::total_bytes), 2u);
}

TEST_F(Evictions, TheQuietestKeyOfAStatusGoesWhenTheDirectoryIsOverItsTotal) {
  Quotas q = roomy();
  q.max_total_bytes = 6;
  start(Kind::status, q);
  for (const char* key : {"a", "b", "c", "a"}) ASSERT_TRUE(stored(key, "1"));
  ASSERT_TRUE(stored("d", "1"));
  EXPECT_EQ(contents(), "c=1 a=1 d=1");
  EXPECT_EQ(evicted(EvictCause::total_bytes), 1u);
  EXPECT_EQ(info().replaced, 1u);
}

TEST_F(Evictions, AReplacedValueIsNoEvictionAndIsGoneBeforeTheTotalIsJudged) {
  Quotas q = roomy();
  q.max_total_bytes = 10;
  start(Kind::status, q);
  ASSERT_TRUE(stored("a", "1234") && stored("b", "1234"));
  ASSERT_TRUE(stored("a", "5678"));  // 10 bytes with a's old value, 10 without: b stays
  EXPECT_EQ(contents(), "b=1234 a=5678");
  EXPECT_EQ(info().replaced, 1u);
  EXPECT_EQ(evicted_in_all(), 0u);
}

TEST_F(Evictions, AStatusThatShrinksFreesWhatItNeedsNoMore) {
  Quotas q = roomy();
  q.max_total_bytes = 12;
  start(Kind::status, q);
  ASSERT_TRUE(stored("a", "12345678"));
  ASSERT_TRUE(stored("a", "1"));
  EXPECT_EQ(info().bytes, 2u);
  ASSERT_TRUE(stored("b", "123456789"));
  EXPECT_EQ(contents(), "a=1 b=123456789");
  ASSERT_TRUE(stored("a", "12345678"));  // grows: b, the older one now, has to go
  EXPECT_EQ(contents(), "a=12345678");
  EXPECT_EQ(evicted(EvictCause::total_bytes), 1u);
  EXPECT_EQ(info().replaced, 2u);
}

TEST_F(Evictions, UnsetTakesAStatusKey) {
  start(Kind::status, roomy());
  ASSERT_TRUE(stored("a", "1") && stored("b", "2"));
  EXPECT_TRUE(rig_->unset(id_, "a"));
  EXPECT_FALSE(rig_->unset(id_, "a"));
  EXPECT_EQ(contents(), "b=2");
  EXPECT_EQ(evicted(EvictCause::unset), 1u);
}

TEST_F(Evictions, UnsetTakesAWholeKeyOfALog) {
  start(Kind::log, roomy());
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(stored(i % 3 == 0 ? "b" : "a", std::to_string(i)));
  EXPECT_TRUE(rig_->unset(id_, "a"));
  EXPECT_EQ(info().records, 100u);
  EXPECT_EQ(info().keys, 1u);
  EXPECT_EQ(evicted(EvictCause::unset), 200u);
  EXPECT_TRUE(stored("a", "again"));
}

TEST_F(Evictions, WhatIsOlderThanMaxAgeGoesOnTheBootClock) {
  Quotas q = roomy();
  q.max_age_seconds = 10;
  start(Kind::log, q);
  ASSERT_TRUE(stored("a", "1"));
  rig_->clocks.wall -= 3'600'000'000'000;  // the wall clock does not matter
  rig_->clocks.boot += 9'999'999'999;
  ASSERT_TRUE(stored("b", "2"));
  EXPECT_EQ(contents(), "a=1 b=2");
  rig_->clocks.boot += 1;
  EXPECT_EQ(contents(), "b=2") << "due records are hidden before the writer comes by";
  EXPECT_EQ(evicted(EvictCause::age), 1u);
  evict_due();
  EXPECT_EQ(contents(), "b=2");
  EXPECT_EQ(evicted(EvictCause::age), 1u);
}

TEST_F(Evictions, WithMaxAgeZeroARecordIsStoredAndEvictedAtOnce) {
  Quotas q = roomy();
  q.max_age_seconds = 0;
  for (const Kind kind : {Kind::log, Kind::status}) {
    start(kind, q);
    ASSERT_TRUE(stored("a", "1") && stored("a", "2"));
    EXPECT_EQ(contents(), "");
    EXPECT_EQ(info().stored, 2u);
    EXPECT_EQ(evicted(EvictCause::age), 2u);
    EXPECT_EQ(info().next_seq, 3u);
  }
}

}  // namespace
}  // namespace mayfly::shm::test
