// Statuses in the scrape: stale ones, too many of them, and which of the two formats it is.
#include "relayd/status_metrics.h"

#include <algorithm>

#include "relayd/metrics.h"
#include "tests/relayd/relay_fixture.h"

namespace mayfly::relayd {
namespace {

using Shares = std::vector<std::size_t>;

TEST(FairSharesTest, SmallOnesKeepAllOfTheirs) {
  EXPECT_EQ(fair_shares({}, 10), Shares{});
  EXPECT_EQ(fair_shares({3, 4}, 10), (Shares{3, 4}));
  EXPECT_EQ(fair_shares({100, 2, 100}, 10), (Shares{4, 2, 4}));
  EXPECT_EQ(fair_shares({100, 100, 100}, 10), (Shares{3, 3, 4}));
  EXPECT_EQ(fair_shares({5, 5}, 0), (Shares{0, 0}));
}

class StatusMetricsTest : public RelayFixture {
 protected:
  /// What a scrape says `after_ns` later than now, with room for `max_keys`.
  std::string scrape(std::uint64_t after_ns, std::size_t max_keys = kMaxStatusKeys) {
    auto opened = shm::Reader::open(paths_.data);
    EXPECT_TRUE(opened.ok());
    const ScopedReader reader(opened.value(), ReadScope::everything());
    MetricsText text(MetricsFormat::open_metrics);
    put_status_metrics(text, reader, reader.directories(), shm::system_clocks().boot_ns() + after_ns,
                       max_keys);
    return text.finish();
  }
  static std::ptrdiff_t lines_with(const std::string& text, const std::string& start) {
    std::ptrdiff_t count = 0;
    for (std::size_t at = text.find("\n" + start); at != std::string::npos;
         at = text.find("\n" + start, at + 1))
      ++count;
    return count;
  }
  static bool has(const std::string& text, const std::string& line) {
    return text.find("\n" + line + "\n") != std::string::npos;
  }
};

TEST_F(StatusMetricsTest, StaleOnesAreGoneAndCounted) {
  constexpr std::uint64_t kMinute = 60'000'000'000;
  start_writer();
  shm::Quotas quotas;
  quotas.stale_after_seconds = 60;
  put(open(shm::Kind::status, "perishable", quotas), "load", "1");
  put(open(shm::Kind::status, "lasting"), "load", "2");
  const std::string fresh = scrape(0);
  EXPECT_TRUE(has(fresh, R"(mayfly_status{directory="perishable",key="load"} 1)")) << fresh;
  EXPECT_TRUE(has(fresh, R"(mayfly_status_stale_keys{directory="perishable"} 0)"));
  const std::string later = scrape(2 * kMinute);
  EXPECT_EQ(later.find(R"(directory="perishable",key="load")"), std::string::npos) << later;
  EXPECT_TRUE(has(later, R"(mayfly_status_stale_keys{directory="perishable"} 1)"));
  EXPECT_TRUE(has(later, R"(mayfly_status{directory="lasting",key="load"} 2)"));
  EXPECT_TRUE(has(later, R"(mayfly_status_series_dropped{directory="perishable"} 0)"));
}

TEST_F(StatusMetricsTest, TheApiSaysWhenAStatusBecomesStale) {
  start_writer();
  shm::Quotas quotas;
  quotas.stale_after_seconds = 60;
  put(open(shm::Kind::status, "perishable", quotas), "load", "1");
  start_relay();
  EXPECT_NE(get("/api/v1/directories").body.find(R"("stale_after_seconds":60)"), std::string::npos);
  EXPECT_EQ(get("/api/v1/status/perishable").body.find("stale"), std::string::npos);
}

TEST_F(StatusMetricsTest, TooManyAreSharedOutAndCounted) {
  start_writer();
  const auto big = open(shm::Kind::status, "big");
  const auto small = open(shm::Kind::status, "small");
  for (int i = 100; i < 200; ++i) put(big, "k" + std::to_string(i), "1");
  put(small, "only", "5");
  const std::string text = scrape(0, 11);
  EXPECT_EQ(lines_with(text, R"(mayfly_status{directory="big")"), 10);
  EXPECT_TRUE(has(text, R"(mayfly_status{directory="big",key="k109"} 1)")) << "the first in order stay";
  EXPECT_TRUE(has(text, R"(mayfly_status{directory="small",key="only"} 5)"));
  EXPECT_TRUE(has(text, R"(mayfly_status_series_dropped{directory="big"} 90)")) << text;
  EXPECT_TRUE(has(text, R"(mayfly_status_series_dropped{directory="small"} 0)"));
}

}  // namespace
}  // namespace mayfly::relayd
