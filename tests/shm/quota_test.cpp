// Quotas that change while records live under them, and quotas at their edges.
#include "tests/shm/directory_fixture.h"

namespace mayfly::shm::test {
namespace {

using QuotaChanges = DirectoryFixture;

TEST_F(QuotaChanges, ALoweredQuotaEvictsAtOnceAndARaisedOneRevivesNothing) {
  struct Case {
    const char* what;
    std::uint64_t Quotas::*field;
    std::uint64_t low;
    const char* left;
  };
  // Before: a=0 c=1 b=2 a=3 b=44 a=5
  const Case cases[] = {
      {"keys", &Quotas::max_keys, 2, "a=0 b=2 a=3 b=44 a=5"},
      {"events", &Quotas::max_events_per_key, 1, "c=1 b=44 a=5"},
      {"bytes per key", &Quotas::max_bytes_per_key, 4, "c=1 a=3 b=44 a=5"},
      {"total bytes", &Quotas::max_total_bytes, 7, "a=3 b=44 a=5"},
      {"value length", &Quotas::max_value_bytes, 1, "a=0 c=1 b=2 a=3 a=5"},
      {"key length", &Quotas::max_key_bytes, 0, ""},
      {"everything", &Quotas::max_total_bytes, 0, ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    start(Kind::log, roomy());
    for (const auto& [key, value] :
         {std::pair{"a", "0"}, {"c", "1"}, {"b", "2"}, {"a", "3"}, {"b", "44"}, {"a", "5"}}) {
      ASSERT_TRUE(stored(key, value));
    }
    Quotas q = roomy();
    q.*c.field = c.low;
    apply(q);
    EXPECT_EQ(contents(), c.left);
    EXPECT_EQ(info().quotas, q);
    EXPECT_EQ(evicted(EvictCause::quota_lowered), 6 - info().records);
    EXPECT_EQ(evicted_in_all(), evicted(EvictCause::quota_lowered));
    apply(roomy());
    EXPECT_EQ(contents(), c.left) << "a raised quota revives nothing";
  }
}

TEST_F(QuotaChanges, LengthsLoweredKillInTheMiddleOfAKey) {
  start(Kind::log, roomy());
  for (const char* value : {"1", "22", "3", "44", "5"}) ASSERT_TRUE(stored("a", value));
  ASSERT_TRUE(stored("b", "66"));
  ASSERT_TRUE(stored("a", "77"));  // the key's newest goes too: its newest write moves backwards
  Quotas q = roomy();
  q.max_value_bytes = 1;
  q.max_keys = 1;
  apply(q);
  EXPECT_EQ(contents(), "a=1 a=3 a=5");
  EXPECT_EQ(evicted(EvictCause::quota_lowered), 4u);
  ASSERT_TRUE(stored("a", "8"));
  EXPECT_EQ(contents(), "a=1 a=3 a=5 a=8");
  ASSERT_TRUE(stored("c", "9"));  // the key goes whole: its chain was closed where records were taken out
  EXPECT_EQ(contents(), "c=9");
  EXPECT_EQ(evicted(EvictCause::keys), 4u);
}

TEST_F(QuotaChanges, ANewestWriteThatMovedBackwardsIsTheQuietest) {
  start(Kind::log, roomy());
  ASSERT_TRUE(stored("a", "1") && stored("b", "1") && stored("c", "1") && stored("a", "22"));
  Quotas q = roomy();
  q.max_keys = 3;
  apply(q);
  ASSERT_TRUE(stored("d", "1"));  // b is the quietest
  EXPECT_EQ(contents(), "a=1 c=1 a=22 d=1");
  q.max_value_bytes = 1;
  apply(q);
  ASSERT_TRUE(stored("e", "1"));  // a's newest is its first one again
  EXPECT_EQ(contents(), "c=1 d=1 e=1");
}

TEST_F(QuotaChanges, AnAgeThatIsRaisedRevivesNothingThatWasDue) {
  Quotas q = roomy();
  q.max_age_seconds = 5;
  start(Kind::log, q);
  ASSERT_TRUE(stored("a", "1"));
  rig_->clocks.advance(5'000'000'000);
  q.max_age_seconds = 3600;
  apply(q);
  EXPECT_EQ(contents(), "");
  EXPECT_EQ(evicted(EvictCause::age), 1u);
}

TEST_F(QuotaChanges, AnAgeThatIsLoweredEvictsByAge) {
  start(Kind::status, roomy());
  ASSERT_TRUE(stored("a", "1"));
  rig_->clocks.advance(5'000'000'000);
  ASSERT_TRUE(stored("b", "1"));
  Quotas q = roomy();
  q.max_age_seconds = 5;
  apply(q);
  EXPECT_EQ(contents(), "b=1");
  EXPECT_EQ(evicted(EvictCause::age), 1u);
}

TEST_F(QuotaChanges, AStatusLosesWhatABytesPerKeyQuotaForbids) {
  start(Kind::status, roomy());
  ASSERT_TRUE(stored("a", "12345") && stored("b", "1"));
  Quotas q = roomy();
  q.max_bytes_per_key = 5;
  apply(q);
  EXPECT_EQ(contents(), "b=1");
  EXPECT_EQ(evicted(EvictCause::quota_lowered), 1u);
}

TEST_F(QuotaChanges, AMassEvictionIsDoneWithinAnUndoLogThatHoldsLittle) {
  start(Kind::log, roomy(), {.bytes = 2 << 20, .undo_pairs = 256});
  for (int i = 0; i < 8000; ++i) ASSERT_TRUE(stored("k" + std::to_string(i % 50), "value"));
  Quotas q = roomy();
  q.max_total_bytes = 100;
  apply(q);
  EXPECT_LE(info().bytes, 100u);
  EXPECT_EQ(evicted(EvictCause::quota_lowered), 8000 - info().records);
}

// Every quota at every value that has ever been mistaken for something else.
TEST_F(QuotaChanges, EdgeValuesOfEveryQuotaEqualTheModel) {
  constexpr std::uint64_t kEdges[] = {0,          1,          2,          0x7fffffff,       0x80000000,
                                      0x80000001, 0xffffffff, 1ull << 32, (1ull << 32) + 1, 1ull << 63,
                                      ~0ull};
  constexpr std::uint64_t Quotas::*kFields[] = {&Quotas::max_keys,          &Quotas::max_key_bytes,
                                                &Quotas::max_value_bytes,   &Quotas::max_total_bytes,
                                                &Quotas::max_bytes_per_key, &Quotas::max_events_per_key,
                                                &Quotas::max_age_seconds,   &Quotas::reserve_bytes};
  int cases = 0;
  for (const Kind kind : {Kind::log, Kind::status}) {
    for (const auto field : kFields) {
      for (const std::uint64_t edge : kEdges) {
        SCOPED_TRACE(std::string(kind_name(kind)) + " case " + std::to_string(cases));
        Quotas q;
        q.*field = edge;
        start(kind, q, {.bytes = 256 << 10});
        ModelDirectory model(kind, q);
        const auto both = [&](std::string key, std::string value) {
          const bool was = stored(key, value);
          const auto cause = model.append(key, value, rig_->clocks.boot, rig_->geometry.max_record_bytes());
          EXPECT_EQ(was, !cause.has_value());
        };
        for (int i = 0; i < 6; ++i) {
          both(i % 2 == 0 ? "" : "k" + std::to_string(i), i == 0 ? "" : "v" + std::to_string(i));
          rig_->clocks.advance(400'000'000);
        }
        apply(Quotas{});
        model.evict_due(rig_->clocks.boot);
        model.apply(Quotas{}, rig_->clocks.boot);
        both("k1", "more");
        apply(q);
        model.apply(q, rig_->clocks.boot);
        both("k2", "more");
        EXPECT_EQ(text(), describe(model));
        ++cases;
      }
    }
  }
  std::printf("cases %d\n", cases);
}

}  // namespace
}  // namespace mayfly::shm::test
