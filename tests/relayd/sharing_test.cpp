// What followers and lookups cost: bytes read from the segment, as the relay's own metrics count them.
#include <charconv>

#include "tests/relayd/relay_fixture.h"

namespace mayfly::relayd {
namespace {

class SharingTest : public RelayFixture {
 protected:
  void SetUp() override {
    start_writer(64 << 20);
    shm::Quotas quotas;
    quotas.max_total_bytes = quotas.max_bytes_per_key = 16 << 20;
    quotas.max_events_per_key = ~0ull;
    large_ = open(shm::Kind::log, "large", quotas);
    status_ = open(shm::Kind::status, "web", quotas);
    start_relay();
  }
  std::uint64_t metric(const std::string& name) {
    const std::string text = get("/metrics").body;
    const std::size_t at = text.find("\n" + name + " ");
    if (at == std::string::npos) return ~0ull;
    std::uint64_t value = ~0ull;
    const char* from = text.data() + at + name.size() + 2;
    std::from_chars(from, text.data() + text.size(), value);
    return value;
  }
  std::uint64_t bytes_read() { return metric("mayfly_relay_segment_read_bytes_total"); }
  /// Bytes read while `followers` tails follow 3,000 lines to the end.
  std::uint64_t cost_of(std::size_t followers, std::uint64_t first) {
    std::vector<std::unique_ptr<test::TestConnection>> tails;
    for (std::size_t i = 0; i < followers; ++i) {
      tails.push_back(std::make_unique<test::TestConnection>(port_));
      tails.back()->send("GET /api/v1/tail/large HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    for (const auto& tail : tails) EXPECT_TRUE(tail->read_body_until("retry: "));
    EXPECT_EQ(metric("mayfly_relay_followers{state=\"live\"}"), followers);
    const std::uint64_t before = bytes_read();
    put_many(large_, "k", first, kLines, std::string(100, '.'));
    const std::string last = "line " + std::to_string(first + kLines - 1);
    for (const auto& tail : tails) EXPECT_TRUE(tail->read_body_until(last));
    return bytes_read() - before;
  }

  static constexpr std::uint64_t kLines = 3000;
  shm::DirectoryId large_ = 0;
  shm::DirectoryId status_ = 0;
};

TEST_F(SharingTest, ManyLiveTailsReadTheSegmentOnce) {
  const std::uint64_t one = cost_of(1, 1);
  const std::uint64_t many = cost_of(40, 1 + kLines);
  EXPECT_GT(one, kLines * 100);
  EXPECT_LT(one, kLines * 300) << "what is new is read once, not page by page again";
  EXPECT_LE(static_cast<double>(many), 1.1 * static_cast<double>(one)) << one << " bytes for one";
}

TEST_F(SharingTest, OneKeyIsReadWithoutItsDirectory) {
  put_many(large_, "rare", 1, 20);
  put_many(large_, "common", 1, 60'000, std::string(100, '.'));
  for (int i = 0; i < 5000; ++i) put(status_, "key" + std::to_string(i), std::string(200, 'v'));
  const std::uint64_t before = bytes_read();
  const auto lines = get("/api/v1/logs/large/rare?last=3");
  EXPECT_NE(lines.body.find("\"line 18\""), std::string::npos) << lines.body;
  EXPECT_NE(lines.body.find("\"line 20\""), std::string::npos);
  EXPECT_EQ(lines.body.find("\"line 17\""), std::string::npos);
  EXPECT_EQ(get("/api/v1/logs/large/rare?grep=1$").body.find("line 10"), std::string::npos);
  EXPECT_EQ(get("/api/v1/status/web/key77").body, std::string(200, 'v'));
  EXPECT_EQ(get("/api/v1/status/web/key5000").status, 404);
  test::TestConnection tail(port_);
  tail.send("GET /api/v1/tail/large/rare?last=2 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(tail.read_body_until("\"line 20\""));
  EXPECT_EQ(tail.stream_body().find("\"line 18\""), std::string::npos);
  put(large_, "rare", "line 21");
  EXPECT_TRUE(tail.read_body_until("\"line 21\""));
  EXPECT_EQ(tail.stream_body().find("gap"), std::string::npos);
  EXPECT_LT(bytes_read() - before, 100'000u) << "of a directory of 7 MB";
  EXPECT_EQ(metric("mayfly_relay_key_scans_total"), 0u);
}

TEST_F(SharingTest, WhoFallsBehindLeavesTheSharedReadAndIsCounted) {
  test::TestConnection slow(port_);
  slow.send("GET /api/v1/tail/large HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(slow.read_body_until("retry: "));
  EXPECT_EQ(metric("mayfly_relay_followers_left_total"), 0u);
  put_many(large_, "k", 1, 40'000, std::string(300, '.'));  // more than sockets and queues hold
  test::TestConnection quick(port_);
  quick.send("GET /api/v1/tail/large HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(quick.read_body_until("retry: "));
  put(large_, "k", "the last");
  EXPECT_TRUE(quick.read_body_until("the last"));
  EXPECT_EQ(metric("mayfly_relay_followers_left_total"), 1u);
  EXPECT_TRUE(slow.read_body_until("the last")) << "from where it stood";
  EXPECT_EQ(slow.stream_body().find("gap"), std::string::npos);
}

}  // namespace
}  // namespace mayfly::relayd
