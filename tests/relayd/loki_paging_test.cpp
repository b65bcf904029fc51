// Who pages by time gets every line once, whatever the limit, and whatever was written at one time.
#include <random>

#include "relayd/loki_entries.h"
#include "tests/relayd/loki_fixture.h"

namespace mayfly::relayd {
namespace {

using ::testing::HasSubstr;

class LokiPagingTest : public LokiFixture {
 protected:
  nlohmann::ordered_json page(bool forward, std::uint64_t start_ns, std::uint64_t end_ns, std::uint64_t limit,
                              const std::string& query) {
    return ask_json("query_range", {{"query", query},
                                    {"start", ns(start_ns)},
                                    {"end", ns(end_ns)},
                                    {"limit", std::to_string(limit)},
                                    {"direction", forward ? "forward" : "backward"}});
  }
  /// All of them, page by page.
  LogLines pages(bool forward, std::uint64_t limit, const std::string& query = R"({kind="log"})") {
    LogLines all;
    std::uint64_t start = base_ns_;
    std::uint64_t end = base_ns_ + 600 * kSecond;
    while (true) {
      const LogLines lines = lines_of(page(forward, start, end, limit, query)["data"]["result"]);
      if (lines.empty()) break;
      std::set<std::uint64_t> times;
      for (const auto& line : lines) times.insert(line.time_ns);
      EXPECT_LE(times.size(), limit);
      all.insert(all.end(), lines.begin(), lines.end());
      if (forward) {
        start = lines.back().time_ns + 1;
      } else {
        end = lines.front().time_ns;
      }
    }
    std::sort(all.begin(), all.end());
    return all;
  }
};

TEST_F(LokiPagingTest, NeitherSkipsNorRepeats) {
  std::mt19937 random(3);
  LogLines written;
  std::vector<shm::DirectoryId> directories;
  for (int i = 0; i < 4; ++i) directories.push_back(open(shm::Kind::log, "d" + std::to_string(i)));
  std::uint64_t time_ns = base_ns_;
  for (int i = 0; i < 120; ++i) {
    time_ns += 1 + random() % 3;
    for (std::size_t d = 0; d < directories.size(); ++d) {
      if (random() % 2 == 0) continue;
      const LogLine line{time_ns, "d" + std::to_string(d), "k" + std::to_string(random() % 3),
                         "line " + std::to_string(i)};
      put_at(directories[d], time_ns, line.key, line.text);
      written.push_back(line);
    }
  }
  std::sort(written.begin(), written.end());
  for (const std::uint64_t limit : {1, 2, 3, 7, 50, 5000}) {
    EXPECT_EQ(pages(true, limit), written) << limit;
    EXPECT_EQ(pages(false, limit), written) << limit;
  }
  LogLines some;
  std::copy_if(written.begin(), written.end(), std::back_inserter(some),
               [](const LogLine& line) { return line.key == "k1"; });
  EXPECT_EQ(pages(false, 7, R"({kind="log", key="k1"})"), some);
}

TEST_F(LokiPagingTest, HoldsWhereTheClockWasSetBack) {
  const auto directory = open(shm::Kind::log, "d");
  LogLines written;
  for (int i = 0; i < 20; ++i) {
    const std::uint64_t time_ns = base_ns_ + (i < 10 ? 300 * kSecond : 0) + static_cast<std::uint64_t>(i);
    put_at(directory, time_ns, "k", std::to_string(i));
    written.push_back({time_ns, "d", "k", std::to_string(i)});
  }
  std::sort(written.begin(), written.end());
  EXPECT_EQ(pages(true, 3), written);
  EXPECT_EQ(pages(false, 3), written);
}

TEST_F(LokiPagingTest, LargeDirectoriesToo) {
  shm::Quotas quotas;
  quotas.max_total_bytes = quotas.max_bytes_per_key = 12 << 20;
  quotas.max_events_per_key = 100'000;
  const auto directory = open(shm::Kind::log, "large", quotas);
  LogLines rare;
  ASSERT_TRUE(worker_->begin(directory, {base_ns_, 0}));
  for (std::uint64_t i = 0; i < 12'000; ++i) {
    if (i % 100 == 0) {
      worker_->commit();
      ASSERT_TRUE(worker_->begin(directory, {base_ns_ + i * 1000, shm::system_clocks().boot_ns()}));
    }
    const std::string text = (i % 1000 == 7 ? "rare " : "often ") + std::to_string(i) + std::string(900, '.');
    const auto verdict = worker_->append("k", text);
    ASSERT_TRUE(verdict.stored);
    if (i % 1000 == 7) rare.push_back({verdict.time_ns, "large", "k", text});
  }
  worker_->commit();
  // Evictions may have taken the oldest.
  const LogLines live = pages(true, 5000, R"({kind="log"} |= "rare")");
  ASSERT_GT(live.size(), 8u);
  EXPECT_TRUE(std::includes(rare.begin(), rare.end(), live.begin(), live.end()));
  for (const std::uint64_t limit : {1, 5, 100}) {
    EXPECT_EQ(pages(true, limit, R"({kind="log"} |= "rare")"), live);
    EXPECT_EQ(pages(false, limit, R"({kind="log"} |= "rare")"), live);
  }
}

TEST_F(LokiPagingTest, AnAnswerTooLargeIsCutAndSaysSo) {
  shm::Quotas quotas;
  quotas.max_total_bytes = quotas.max_bytes_per_key = quotas.max_value_bytes = 64 << 20;
  stop_writer();
  std::filesystem::remove(paths_.data);
  start_writer(64 << 20);
  const auto directory = open(shm::Kind::log, "d", quotas);
  LogLines written;
  for (std::uint64_t i = 0; i < 20; ++i) {
    const std::string text = std::to_string(i) + std::string(1 << 20, 'x');
    put_at(directory, base_ns_ + i, "k", text);
    written.push_back({base_ns_ + i, "d", "k", text});
  }
  const auto answer = page(false, base_ns_, base_ns_ + kSecond, 100, R"({kind="log"})");
  ASSERT_EQ(answer["warnings"].size(), 1u);
  EXPECT_THAT(answer["warnings"][0].get<std::string>(), HasSubstr("the answer ends after 15 entries"));
  EXPECT_TRUE(pages(false, 100) == written);
  EXPECT_TRUE(pages(true, 100) == written);
}

TEST(LokiEntriesTest, KeepsTiesTogether) {
  LokiEntries newest(2, false, 1 << 20);
  for (const std::uint64_t time : {5, 3, 5, 9, 1, 5, 4}) {
    if (newest.wants(time)) newest.add(time, {0, logql::Level::unknown, "k", std::to_string(time)});
  }
  std::vector<std::uint64_t> times;
  for (const auto& [time, entry] : newest.take()) times.push_back(time);
  EXPECT_EQ(times, (std::vector<std::uint64_t>{9, 5, 5, 5}));
}

TEST(LokiEntriesTest, NothingBeyondTheCut) {
  const std::string large(600, 'x');
  LokiEntries oldest(100, true, 2000);
  for (const std::uint64_t time : {1, 5, 9}) oldest.add(time, {0, logql::Level::unknown, "k", large});
  EXPECT_TRUE(oldest.is_cut());
  EXPECT_FALSE(oldest.wants(9));
  EXPECT_FALSE(oldest.wants(11));
  EXPECT_TRUE(oldest.wants(3));
  oldest.add(3, {0, logql::Level::unknown, "k", ""});
  oldest.add(10, {0, logql::Level::unknown, "k", ""});
  EXPECT_EQ(oldest.count(), 3u);
}

}  // namespace
}  // namespace mayfly::relayd
