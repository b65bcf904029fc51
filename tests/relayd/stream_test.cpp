#include <nlohmann/json.hpp>

#include "tests/relayd/relay_fixture.h"

namespace mayfly::relayd {
namespace {

using nlohmann::ordered_json;

/// One server-sent event.
struct Event {
  std::string id;
  std::string event;
  std::string data;
};

/// A stream under test.
class EventStream {
 public:
  EventStream(std::uint16_t port, const std::string& target, const std::string& headers = {})
      : connection_(port) {
    connection_.send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n");
    opened_ = connection_.read_body_until("retry: ");
  }
  bool opened() const { return opened_; }
  /// Waits until there are `count` events and returns them.
  std::vector<Event> events(std::size_t count) {
    connection_.read_until([&] { return parse().size() >= count; });
    return parse();
  }
  /// "3" for a record with that number at the end of its line, "gap 2" for a gap.
  std::vector<std::string> story(std::size_t count) {
    std::vector<std::string> out;
    for (const auto& event : events(count)) {
      const auto object = ordered_json::parse(event.data);
      if (event.event == "gap") {
        out.push_back("gap " + object["missed"].dump() +
                      (object.contains("reason") ? " " + object["reason"].get<std::string>() : ""));
      } else {
        const std::string line = object.contains("line") ? object["line"] : object["value"];
        out.push_back(line.substr(line.rfind(' ') + 1));
      }
    }
    return out;
  }
  /// The id in force at the end: what a browser would send as Last-Event-ID.
  std::string last_id() {
    const std::string body = connection_.stream_body();
    const std::size_t at = body.rfind("id: ");
    return at == std::string::npos ? "" : body.substr(at + 4, body.find('\n', at) - at - 4);
  }
  void close() { connection_.close(); }

 private:
  std::vector<Event> parse() {
    std::vector<Event> out;
    std::istringstream body(connection_.stream_body());
    Event event;
    for (std::string line; std::getline(body, line);) {
      if (line.rfind("id: ", 0) == 0) event.id = line.substr(4);
      if (line.rfind("event: ", 0) == 0) event.event = line.substr(7);
      if (line.rfind("data: ", 0) == 0) event.data = line.substr(6);
      if (!line.empty()) continue;
      if (!event.data.empty()) out.push_back(event);
      event = Event();
    }
    return out;
  }

  test::TestConnection connection_;
  bool opened_ = false;
};

using Story = std::vector<std::string>;

class StreamTest : public RelayFixture {
 protected:
  void SetUp() override {
    start_writer();
    shm::Quotas quotas;
    quotas.max_events_per_key = 5;
    demo_ = open(shm::Kind::log, "demo", quotas);
    web_ = open(shm::Kind::status, "web");
    start_relay();
  }
  shm::DirectoryId demo_ = 0;
  shm::DirectoryId web_ = 0;
};

TEST_F(StreamTest, TailBeginsNow) {
  put(demo_, "k", "line 1");
  EventStream stream(port_, "/api/v1/tail/demo");
  ASSERT_TRUE(stream.opened());
  put(demo_, "k", "line 2");
  put(demo_, "other", "line 3");
  EXPECT_EQ(stream.story(2), (Story{"2", "3"}));
  const auto object = ordered_json::parse(stream.events(2)[0].data);
  EXPECT_EQ(object["key"], "k");
  EXPECT_EQ(object["line"], "line 2");
}

TEST_F(StreamTest, HeadersFitProxies) {
  test::TestConnection connection(port_);
  connection.send("GET /api/v1/tail/demo HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(connection.read_body_until("retry: "));
  EXPECT_NE(connection.received().find("Content-Type: text/event-stream"), std::string::npos);
  EXPECT_NE(connection.received().find("X-Accel-Buffering: no"), std::string::npos);
  EXPECT_NE(connection.received().find("Cache-Control: no-store"), std::string::npos);
}

TEST_F(StreamTest, TailBeginsWithTheLastOnes) {
  put_many(demo_, "k", 1, 4);
  EventStream stream(port_, "/api/v1/tail/demo?last=2");
  EXPECT_EQ(stream.story(2), (Story{"3", "4"}));
  put(demo_, "k", "line 5");
  EXPECT_EQ(stream.story(3), (Story{"3", "4", "5"}));
}

TEST_F(StreamTest, ResumesWhereItLeftOff) {
  EventStream first(port_, "/api/v1/tail/demo");
  put(demo_, "k", "line 1");
  ASSERT_EQ(first.story(1), Story{"1"});
  const std::string id = first.last_id();
  first.close();
  put(demo_, "k", "line 2");
  stop_relay();
  put(demo_, "k", "line 3");
  start_relay();
  EventStream second(port_, "/api/v1/tail/demo?last=1", "Last-Event-ID: " + id + "\r\n");
  EXPECT_EQ(second.story(2), (Story{"2", "3"}));
  EventStream third(port_, "/api/v1/tail/demo?after=" + id);
  EXPECT_EQ(third.story(2), (Story{"2", "3"}));
}

TEST_F(StreamTest, ResumesBeforeTheFirstRecord) {
  put(demo_, "k", "line 1");
  EventStream first(port_, "/api/v1/tail/demo");
  const std::string id = first.last_id();
  ASSERT_NE(id, "");
  first.close();
  put(demo_, "k", "line 2");
  EventStream second(port_, "/api/v1/tail/demo?after=" + id);
  EXPECT_EQ(second.story(1), Story{"2"});
}

TEST_F(StreamTest, CountsExactlyWhatWasMissed) {
  EventStream first(port_, "/api/v1/tail/demo");
  put(demo_, "k", "line 1");
  ASSERT_EQ(first.story(1), Story{"1"});
  const std::string id = first.last_id();
  put_many(demo_, "k", 2, 20);  // 5 live: 17 .. 21
  EventStream second(port_, "/api/v1/tail/demo?after=" + id);
  EXPECT_EQ(second.story(6), (Story{"gap 15", "17", "18", "19", "20", "21"}));
}

TEST_F(StreamTest, TellsOfAGapAtTheEnd) {
  EventStream first(port_, "/api/v1/tail/demo");
  put(demo_, "k", "line 1");
  ASSERT_EQ(first.story(1), Story{"1"});
  const std::string id = first.last_id();
  put_many(demo_, "k", 2, 3);
  ASSERT_TRUE(worker_->begin(demo_, now()));
  ASSERT_TRUE(worker_->unset("k"));
  worker_->commit();
  EventStream second(port_, "/api/v1/tail/demo?after=" + id);
  EXPECT_EQ(second.story(1), Story{"gap 3"});
  const std::string after = second.last_id();
  EventStream third(port_, "/api/v1/tail/demo?after=" + after);
  ASSERT_TRUE(third.opened());
  put(demo_, "k", "line 9");
  EXPECT_EQ(third.story(1), Story{"9"});  // the gap is told once
}

TEST_F(StreamTest, CountsExactlyForOneKey) {
  EventStream first(port_, "/api/v1/tail/demo/k");
  put(demo_, "other", "line 0");
  put(demo_, "k", "line 1");
  ASSERT_EQ(first.story(1), Story{"1"});
  const std::string id = first.last_id();
  put_many(demo_, "other", 100, 50);
  put_many(demo_, "k", 2, 7);  // 5 live: 4 .. 8
  put_many(demo_, "other", 200, 50);
  EventStream second(port_, "/api/v1/tail/demo/k?after=" + id);
  EXPECT_EQ(second.story(6), (Story{"gap 2", "4", "5", "6", "7", "8"}));
}

TEST_F(StreamTest, OtherKeysAreNoGap) {
  EventStream stream(port_, "/api/v1/tail/demo/k");
  ASSERT_TRUE(stream.opened());
  put_many(demo_, "other", 1, 30);
  put(demo_, "k", "line 1");
  put_many(demo_, "other", 31, 30);
  put(demo_, "k", "line 2");
  EXPECT_EQ(stream.story(2), (Story{"1", "2"}));
}

TEST_F(StreamTest, AKeyThatBeginsAnewSaysWhatItCannotKnow) {
  EventStream first(port_, "/api/v1/tail/demo/k");
  put_many(demo_, "k", 1, 2);
  ASSERT_EQ(first.story(2), (Story{"1", "2"}));
  const std::string id = first.last_id();
  first.close();
  put(demo_, "k", "line 3");
  ASSERT_TRUE(worker_->begin(demo_, now()));
  ASSERT_TRUE(worker_->unset("k"));
  worker_->commit();
  put(demo_, "k", "line 4");
  EventStream second(port_, "/api/v1/tail/demo/k?after=" + id);
  EXPECT_EQ(second.story(2), (Story{"gap null key_restarted", "4"}));
}

TEST_F(StreamTest, GrepIsNoGap) {
  EventStream stream(port_, "/api/v1/tail/demo?grep=[24]$");
  ASSERT_TRUE(stream.opened());
  put_many(demo_, "k", 1, 5);
  EXPECT_EQ(stream.story(2), (Story{"2", "4"}));
}

TEST_F(StreamTest, ASegmentThatIsGoneIsTold) {
  EventStream stream(port_, "/api/v1/tail/demo");
  put(demo_, "k", "line 1");
  ASSERT_EQ(stream.story(1), Story{"1"});
  const std::string id = stream.last_id();
  stop_writer();
  std::filesystem::remove(paths_.data);
  start_writer();
  demo_ = open(shm::Kind::log, "demo");
  put_many(demo_, "k", 7, 2);
  EXPECT_EQ(stream.story(4), (Story{"1", "gap null replaced", "7", "8"}));
  EventStream resumed(port_, "/api/v1/tail/demo?after=" + id);
  EXPECT_EQ(resumed.story(3), (Story{"gap null replaced", "7", "8"}));
  const std::string early = resumed.events(1)[0].id;
  EventStream again(port_, "/api/v1/tail/demo?after=" + early);
  EXPECT_EQ(again.story(2), (Story{"7", "8"}));
}

TEST_F(StreamTest, ADirectoryThatIsAddedAgainBeginsAnew) {
  EventStream stream(port_, "/api/v1/tail/demo");
  put(demo_, "k", "line 1");
  ASSERT_EQ(stream.story(1), Story{"1"});
  ASSERT_TRUE(writer_->remove_directory(*worker_, demo_, now()));
  demo_ = open(shm::Kind::log, "demo");
  put(demo_, "k", "line 2");
  EXPECT_EQ(stream.story(3), (Story{"1", "gap null replaced", "2"}));
}

TEST_F(StreamTest, WatchFollowsStatus) {
  put(web_, "a", "value 1");
  EventStream stream(port_, "/api/v1/watch/web?last=1");
  EXPECT_EQ(stream.story(1), Story{"1"});
  put(web_, "a", "value 2");
  EXPECT_EQ(stream.story(2), (Story{"1", "2"}));
  const auto object = ordered_json::parse(stream.events(2)[1].data);
  EXPECT_EQ(object["key"], "a");
  EXPECT_TRUE(object.contains("age_ms"));
}

TEST_F(StreamTest, NdjsonFollowsToo) {
  put_many(demo_, "k", 1, 3);
  test::TestConnection connection(port_);
  connection.send("GET /api/v1/logs/demo?follow=1&last=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(connection.read_body_until("line 3"));
  EXPECT_EQ(connection.stream_body().find("line 2"), std::string::npos);
  put(demo_, "k", "line 4");
  ASSERT_TRUE(connection.read_body_until("line 4"));
  test::TestConnection text(port_);
  text.send("GET /api/v1/logs/demo?follow=1 HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n");
  ASSERT_TRUE(text.read_body_until(" k line 1\n"));
  ASSERT_TRUE(text.read_body_until(" k line 4\n"));
}

TEST_F(StreamTest, ASlowReaderLosesNothingUncounted) {
  shm::Quotas quotas;
  quotas.max_total_bytes = quotas.max_bytes_per_key = 2 << 20;
  quotas.max_events_per_key = 100'000;
  const auto big = open(shm::Kind::log, "big", quotas);
  test::TestConnection slow(port_);
  slow.send("GET /api/v1/tail/big HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(slow.read_body_until("retry: "));
  constexpr std::uint64_t kRecords = 40'000;
  EventStream quick(port_, "/api/v1/tail/big?grep=line+40000");
  put_many(big, "k", 1, kRecords, std::string(500, '.'));  // 20 MB, of which 2 MiB live
  put(big, "k", "the end");
  ASSERT_TRUE(slow.read_until([&, checked = std::size_t{0}]() mutable {
    const std::string& bytes = slow.received();
    const bool found = bytes.find("the end", checked) != std::string::npos;
    checked = bytes.size() > 16 ? bytes.size() - 16 : 0;
    return found;
  }));
  std::uint64_t seen = 0;
  std::uint64_t missed = 0;
  std::istringstream body(slow.stream_body());
  for (std::string line; std::getline(body, line);) {
    if (line.rfind("data: ", 0) != 0) continue;
    const auto object = ordered_json::parse(line.substr(6));
    if (object.contains("missed")) {
      missed += object["missed"].get<std::uint64_t>();
    } else {
      ++seen;
    }
  }
  EXPECT_EQ(seen + missed, kRecords + 1);
}

TEST_F(StreamTest, ADirectoryThatAPatternAllowsIsWaitedFor) {
  stop_relay();
  shm::Rules rules;
  rules.version = "v1";
  shm::Rule pattern;
  pattern.pattern = true;
  pattern.name = "app-*";
  rules.rules.push_back(pattern);
  publish(rules);
  start_relay();
  EXPECT_EQ(get("/api/v1/logs/app-1").status, 404);
  EventStream stream(port_, "/api/v1/tail/app-1");
  ASSERT_TRUE(stream.opened());
  put(open(shm::Kind::log, "app-1"), "k", "line 1");
  EXPECT_EQ(stream.story(1), Story{"1"});
}

}  // namespace
}  // namespace mayfly::relayd
