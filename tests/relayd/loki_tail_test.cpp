#include "tests/relayd/loki_fixture.h"

namespace mayfly::relayd {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;

class LokiTailTest : public LokiFixture {
 protected:
  static inline const HttpHeaders kLines = {{"accept", "application/x-ndjson"}};

  Answer tail(const std::string& query, std::vector<std::pair<std::string, std::string>> fields = {},
              HttpHeaders headers = kLines) {
    fields.emplace_back("query", query);
    tails_.push_back(begin(target("tail", fields), std::move(headers)));
    return tails_.back();
  }
  void TearDown() override {
    for (const auto& one : tails_) thread_.call([&] { one->hang_up(); });
  }
  /// The lines so far, in order of arrival, and what was missed.
  static std::vector<std::string> texts(const Answer& answer) {
    std::vector<std::string> all;
    std::istringstream body(answer->body());
    for (std::string line; std::getline(body, line);) {
      const auto frame = ordered_json::parse(line);
      for (const auto& entry : lines_of(frame["streams"])) all.push_back(entry.text);
    }
    return all;
  }
  static std::uint64_t missed(const Answer& answer) {
    std::uint64_t sum = 0;
    std::istringstream body(answer->body());
    for (std::string line; std::getline(body, line);) {
      const auto frame = ordered_json::parse(line);
      if (frame["dropped_entries"].is_null()) continue;
      for (const auto& gap : frame["dropped_entries"]) sum += gap["missed"].get<std::uint64_t>();
    }
    return sum;
  }

  std::vector<Answer> tails_;
};

using Texts = std::vector<std::string>;

TEST_F(LokiTailTest, BeginsWithTheLastOnesAndGoesOn) {
  const auto one = open(shm::Kind::log, "one");
  const auto two = open(shm::Kind::log, "two");
  put(one, "k", "a level=info");
  put(two, "k", "b");
  put(one, "k", "c");
  const auto answer = tail(R"({kind="log"} != "x")", {{"limit", "2"}});
  ASSERT_TRUE(answer->wait_for("\"c\""));
  put(two, "k", "d");
  ASSERT_TRUE(answer->wait_for("\"d\""));
  put(one, "k", "x");
  put(one, "k", "e");
  ASSERT_TRUE(answer->wait_for("\"e\""));
  EXPECT_EQ(texts(answer), (Texts{"b", "c", "d", "e"}));
  EXPECT_EQ(answer->status(), 200);
  std::istringstream body(answer->body());
  std::string first;
  std::getline(body, first);
  const auto frame = ordered_json::parse(first);
  EXPECT_EQ(frame["streams"][0]["stream"].dump(),
            R"({"detected_level":"unknown","directory":"one","key":"k","kind":"log"})");
  EXPECT_TRUE(frame["dropped_entries"].is_null());
}

TEST_F(LokiTailTest, FollowsDirectoriesThatComeLater) {
  const auto answer = tail(R"({directory=~"app-.*"})", {{"limit", "0"}});
  put(open(shm::Kind::log, "other"), "k", "not this");
  const auto app = open(shm::Kind::log, "app-one");
  put(app, "k", "first");
  ASSERT_TRUE(answer->wait_for("first"));
  put(app, "k", "second");
  ASSERT_TRUE(answer->wait_for("second"));
  put(open(shm::Kind::status, "app-two"), "state", "up");
  ASSERT_TRUE(answer->wait_for("up"));
  EXPECT_EQ(texts(answer), (Texts{"first", "second", "up"}));
}

TEST_F(LokiTailTest, WaitsForASegment) {
  stop_writer();
  std::filesystem::remove(paths_.data);
  const auto answer = tail(R"({kind="log"})");
  start_writer();
  put(open(shm::Kind::log, "one"), "k", "first");
  EXPECT_TRUE(answer->wait_for("first"));
}

TEST_F(LokiTailTest, ShowsOnlyWhatTheScopeCovers) {
  const auto app = open(shm::Kind::log, "app-one");
  const auto secret = open(shm::Kind::log, "secret");
  put(secret, "k", "hidden 1");
  put(app, "k", "seen 1");
  HttpHeaders headers = kLines;
  headers.emplace_back(std::string(kReadScopeHeader), "app-");
  const auto answer = tail(R"({kind="log"})", {}, headers);
  ASSERT_TRUE(answer->wait_for("seen 1"));
  put(secret, "k", "hidden 2");
  put(open(shm::Kind::log, "secret-late"), "k", "hidden 3");
  put(open(shm::Kind::log, "app-late"), "k", "seen 2");
  ASSERT_TRUE(answer->wait_for("seen 2"));
  put(app, "k", "seen 3");
  ASSERT_TRUE(answer->wait_for("seen 3"));
  EXPECT_THAT(answer->body(), ::testing::Not(HasSubstr("hidden")));
}

TEST_F(LokiTailTest, ASlowReaderIsToldWhatHeMissed) {
  shm::Quotas quotas;
  quotas.max_events_per_key = 100;
  const auto one = open(shm::Kind::log, "one", quotas);
  const auto answer = tail(R"({directory="one"})", {{"limit", "0"}});
  put_many(one, "k", 1, 1);
  ASSERT_TRUE(answer->wait_for("line 1"));
  thread_.call([&] { answer->hold(true); });
  const std::string padding(1000, '.');
  for (std::uint64_t i = 0; i < 20; ++i) put_many(one, "k", 2 + i * 50, 50, padding);
  put(one, "k", "the end");
  thread_.call([&] { answer->hold(false); });
  ASSERT_TRUE(answer->wait_for("the end"));
  EXPECT_EQ(texts(answer).size() + missed(answer), 1002u);
  EXPECT_THAT(answer->body(), HasSubstr(R"("labels":{"directory":"one","kind":"log"})"));
}

TEST_F(LokiTailTest, HoldsLinesBackAsLongAsAsked) {
  const auto one = open(shm::Kind::log, "one");
  const auto answer = tail(R"({directory="one"})", {{"limit", "0"}, {"delay_for", "1"}});
  put(one, "k", "first");
  const std::uint64_t written = shm::system_clocks().wall_ns();
  ASSERT_TRUE(answer->wait_for("first"));
  EXPECT_GE(shm::system_clocks().wall_ns() + kSecond / 10, written + kSecond);
}

TEST_F(LokiTailTest, OverAWebSocket) {
  start_relay();
  const auto one = open(shm::Kind::log, "one");
  put(one, "k", "first");
  test::TestConnection connection(port_);
  connection.send("GET " + target("tail", {{"query", R"({directory="one"})"}}) +
                  " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  const auto has = [&](const std::string& text) {
    return [&connection, text] { return connection.received().find(text) != std::string::npos; };
  };
  ASSERT_TRUE(connection.read_until(has("first")));
  EXPECT_EQ(connection.received().rfind("HTTP/1.1 101 ", 0), 0u);
  put(one, "k", "second");
  ASSERT_TRUE(connection.read_until(has(R"("second"]]}],"dropped_entries":null})")));
  // A masked close frame; it is answered.
  connection.send(std::string("\x88\x82\x00\x00\x00\x00\x03\xe8", 8));
  EXPECT_TRUE(connection.read_to_end());
  const auto refused = get(target("tail", {{"query", R"({directory="one"})"}}));
  EXPECT_EQ(refused.status, 426) << refused.body;
  EXPECT_EQ(get(target("tail", {{"query", "{"}})).status, 400);
}

TEST_F(LokiTailTest, TailsEndWithTheRelay) {
  start_relay();
  const auto one = open(shm::Kind::log, "one");
  put(one, "k", "first");
  test::TestConnection connection(port_);
  connection.send("GET " + target("tail", {{"query", R"({directory="one"})"}}) +
                  " HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-ndjson\r\n\r\n");
  ASSERT_TRUE(connection.read_body_until("first"));
  stop_relay();
  EXPECT_TRUE(connection.read_to_end());
  const auto waiting = tail(R"({kind="log"})");
  ASSERT_TRUE(waiting->wait_for("first"));
  stop_api();
  EXPECT_TRUE(waiting->wait());
}

}  // namespace
}  // namespace mayfly::relayd
