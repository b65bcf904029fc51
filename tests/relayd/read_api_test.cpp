#include <nlohmann/json.hpp>

#include "common/text.h"
#include "tests/relayd/relay_fixture.h"

namespace mayfly::relayd {
namespace {

using nlohmann::ordered_json;

class ReadApiTest : public RelayFixture {
 protected:
  void SetUp() override {
    start_writer();
    demo_ = open(shm::Kind::log, "demo");
    web_ = open(shm::Kind::status, "web");
    start_relay();
  }
  /// The lines of an NDJSON answer, by their "line".
  std::vector<std::string> lines(const std::string& target) {
    std::vector<std::string> out;
    std::istringstream body(get(target).body);
    for (std::string line; std::getline(body, line);) out.push_back(ordered_json::parse(line)["line"]);
    return out;
  }

  shm::DirectoryId demo_ = 0;
  shm::DirectoryId web_ = 0;
};

using Lines = std::vector<std::string>;

TEST_F(ReadApiTest, DirectoriesSayWhatThereIs) {
  put(demo_, "web", "hello");
  put(demo_, "web", std::string(2000, 'x'));  // too long
  const auto answer = get("/api/v1/directories");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("cache-control"), "no-store");
  EXPECT_EQ(answer.headers.at("x-content-type-options"), "nosniff");
  const auto object = ordered_json::parse(answer.body);
  ASSERT_EQ(object["directories"].size(), 2u);
  const auto& demo = object["directories"][0];
  EXPECT_EQ(demo["name"], "demo");
  EXPECT_EQ(demo["records"], 1);
  EXPECT_EQ(demo["bytes"], 8);
  EXPECT_EQ(demo["stored"], 1);
  EXPECT_EQ(demo["dropped"]["value_too_long"], 1);
  EXPECT_EQ(demo["last_seq"], demo["first_seq"]);
  EXPECT_EQ(object["directories"][1]["name"], "web");
  EXPECT_TRUE(object["directories"][1]["last_seq"].is_null());
  EXPECT_TRUE(object.contains("removed"));
  EXPECT_EQ(object["unknown"]["dropped"]["unknown_directory"], 0);
}

TEST_F(ReadApiTest, StatusListsKeysSorted) {
  put(web_, "pid", "123");
  put(web_, "a\xff", "x");
  put(web_, "pic", "y");
  auto object = ordered_json::parse(get("/api/v1/status/web").body);
  EXPECT_EQ(object["directory"], "web");
  ASSERT_EQ(object["keys"].size(), 3u);
  EXPECT_EQ(object["keys"][0]["key"], "a\\xff");
  EXPECT_EQ(object["keys"][0]["key_b64"], "Yf8=");
  EXPECT_EQ(object["keys"][2]["key"], "pid");
  EXPECT_EQ(object["keys"][2]["value"], "123");
  EXPECT_TRUE(object["keys"][2]["age_ms"].is_number_unsigned());
  object = ordered_json::parse(get("/api/v1/status/web?prefix=pi").body);
  EXPECT_EQ(object["keys"].size(), 2u);
  object = ordered_json::parse(get("/api/v1/status/web;prefix=pid").body);
  EXPECT_EQ(object["keys"].size(), 1u);
}

TEST_F(ReadApiTest, AValueComesAsItsBytes) {
  const auto verdict = put(web_, "a/b", "<script>");
  auto answer = get("/api/v1/status/web/a%2Fb");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "<script>");
  EXPECT_EQ(answer.headers.at("content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(answer.headers.at("x-content-type-options"), "nosniff");
  EXPECT_EQ(answer.headers.at("mayfly-seq"), std::to_string(verdict.seq));
  EXPECT_EQ(answer.headers.at("mayfly-time"), format_time(verdict.time_ns));
  EXPECT_EQ(get("/api/v1/status/web?key=a/b").body, "<script>");
  EXPECT_EQ(get("/api/v1/status/web?key_b64=YS9i").body, "<script>");
  put(web_, "", std::string("\0\xff", 2));
  answer = get("/api/v1/status/web?key=");
  EXPECT_EQ(answer.body, std::string("\0\xff", 2));
  EXPECT_EQ(answer.headers.at("content-type"), "application/octet-stream");
  answer = get("/api/v1/status/web/none");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(ordered_json::parse(answer.body)["code"], "no_such_key");
}

TEST_F(ReadApiTest, LogsAreFiltered) {
  for (int i = 1; i <= 5; ++i) put(demo_, i % 2 == 1 ? "odd" : "even", "line " + std::to_string(i));
  EXPECT_EQ(lines("/api/v1/logs/demo"), (Lines{"line 1", "line 2", "line 3", "line 4", "line 5"}));
  EXPECT_EQ(lines("/api/v1/logs/demo/odd"), (Lines{"line 1", "line 3", "line 5"}));
  EXPECT_EQ(lines("/api/v1/logs/demo?last=2"), (Lines{"line 4", "line 5"}));
  EXPECT_EQ(lines("/api/v1/logs/demo/odd?last=2"), (Lines{"line 3", "line 5"}));
  EXPECT_EQ(lines("/api/v1/logs/demo;last=2;grep=[123]"), (Lines{"line 2", "line 3"}));
  EXPECT_EQ(lines("/api/v1/logs/demo?since=1h&until=0s"),
            (Lines{"line 1", "line 2", "line 3", "line 4", "line 5"}));
  EXPECT_EQ(lines("/api/v1/logs/demo?until=1h"), Lines{});
  EXPECT_EQ(lines("/api/v1/logs/demo?last=0"), Lines{});
  EXPECT_EQ(lines("/api/v1/logs/demo/none"), Lines{});
  const auto answer = get("/api/v1/logs/demo?last=1");
  EXPECT_EQ(answer.headers.at("content-type"), "application/x-ndjson");
  const auto object = ordered_json::parse(answer.body);
  EXPECT_EQ(object["key"], "odd");
  EXPECT_TRUE(parse_time(object["time"].get<std::string>()).has_value());
}

TEST_F(ReadApiTest, LogsAsText) {
  const auto verdict = put(demo_, "k", "a\x1b[31m\nb");
  const auto answer = get("/api/v1/logs/demo", "Accept: text/plain\r\n");
  EXPECT_EQ(answer.headers.at("content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(answer.body, format_time(verdict.time_ns) + " k a\\x1b[31m\\nb\n");
}

TEST_F(ReadApiTest, ErrorsAreProblems) {
  const std::vector<std::tuple<std::string, int, std::string>> cases = {
      {"/api/v1", 404, "no_such_path"},
      {"/api/v1/logs", 404, "no_such_path"},
      {"/api/v1/logs/demo/a/b", 404, "no_such_path"},
      {"/api/v1/logs/nope", 404, "no_such_directory"},
      {"/api/v1/logs/web", 404, "no_such_directory"},
      {"/api/v1/status/demo", 404, "no_such_directory"},
      {"/api/v1/tail/nope", 404, "no_such_directory"},
      {"/api/v1/watch/demo", 404, "no_such_directory"},
      {"/api/v1/logs/%zz", 400, "bad_request"},
      {"/api/v1/logs/demo?last=x", 400, "bad_request"},
      {"/api/v1/logs/demo?grep=(", 400, "bad_request"},
      {"/api/v1/logs/demo?follow=1&until=1m", 400, "bad_request"},
      {"/api/v1/tail/demo?after=x", 400, "bad_request"},
  };
  for (const auto& [target, status, code] : cases) {
    const auto answer = get(target);
    EXPECT_EQ(answer.status, status) << target;
    EXPECT_EQ(answer.headers.at("content-type"), "application/problem+json") << target;
    const auto problem = ordered_json::parse(answer.body);
    EXPECT_EQ(problem["code"], code) << target;
    EXPECT_EQ(problem["status"], status) << target;
    EXPECT_TRUE(problem["title"].is_string() && problem["detail"].is_string()) << target;
  }
  test::TestConnection connection(port_);
  connection.send("POST /api/v1/directories HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(connection.read_answer().status, 405);
}

TEST_F(ReadApiTest, LargeDirectoriesAreReadInSlices) {
  shm::Quotas quotas;
  quotas.max_total_bytes = quotas.max_bytes_per_key = 8 << 20;
  quotas.max_events_per_key = 100'000;
  const auto big = open(shm::Kind::log, "big", quotas);
  put_many(big, "filler", 1, 20'000, std::string(200, '.'));
  put_many(big, "rare", 1, 3);
  put_many(big, "filler", 20'001, 1'000);
  auto answer = get("/api/v1/logs/big");
  EXPECT_TRUE(answer.complete);
  EXPECT_EQ(std::count(answer.body.begin(), answer.body.end(), '\n'), 21'003);
  EXPECT_EQ(lines("/api/v1/logs/big/rare"), (Lines{"line 1", "line 2", "line 3"}));
  EXPECT_EQ(lines("/api/v1/logs/big/rare?last=2"), (Lines{"line 2", "line 3"}));
  EXPECT_EQ(lines("/api/v1/logs/big?last=1"), Lines{"line 21000"});
  EXPECT_EQ(lines("/api/v1/logs/big?since=1h&grep=^line+20999$"), Lines{"line 20999"});
  const auto table = open(shm::Kind::status, "table", quotas);
  for (int i = 0; i < 1000; ++i)
    put(table, "key" + std::to_string(i), std::string(1500, 'x').substr(0, 1000));
  for (int i = 0; i < 1000; ++i) put(table, "more" + std::to_string(i), std::string(1000, 'y'));
  answer = get("/api/v1/status/table");
  EXPECT_EQ(ordered_json::parse(answer.body)["keys"].size(), 1024u);  // max_keys
  EXPECT_EQ(get("/api/v1/status/table/more999").body, std::string(1000, 'y'));
  EXPECT_EQ(get("/api/v1/status/table/key1").status, 404);
}

TEST_F(ReadApiTest, MetricsCountEverything) {
  shm::Quotas stale;
  stale.stale_after_seconds = 3600;
  const auto fresh = open(shm::Kind::status, "fresh", stale);
  put(fresh, "n", "7");
  put(demo_, "web", "hello");
  put(web_, "load", "1.50");
  put(web_, "name", "text");
  put(web_, "a\"\\\n", "2");
  put(web_, "\xff", "3");
  put(web_, "\\xff", "4");
  worker_->count_unattributed(shm::DropCause::unknown_directory, 3);
  auto answer = get("/metrics");
  EXPECT_EQ(answer.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  static const char kBuildInfo[] = "mayfly_build_info{version=\"" MAYFLY_VERSION "\"} 1\n";
  for (const char* line :
       {"mayfly_records_stored_total{kind=\"log\",directory=\"demo\"} 1\n",
        "mayfly_records_replaced_total{kind=\"status\",directory=\"web\"} 0\n",
        "mayfly_records_dropped_total{kind=\"log\",directory=\"demo\",cause=\"value_too_long\"} 0\n",
        "mayfly_records_dropped_total{kind=\"\",directory=\"\",cause=\"unknown_directory\"} 3\n",
        "mayfly_records_evicted_total{kind=\"log\",directory=\"demo\",cause=\"age\"} 0\n",
        "mayfly_directory_bytes{kind=\"log\",directory=\"demo\"} 8\n",
        "mayfly_quota_events_per_key{kind=\"log\",directory=\"demo\"} 2048\n",
        "mayfly_status{directory=\"web\",key=\"load\"} 1.5\n",
        "mayfly_status{directory=\"web\",key=\"a\\\"\\\\\\n\"} 2\n",
        "mayfly_status{directory=\"fresh\",key=\"n\"} 7\n", "# TYPE mayfly_records_stored_total counter\n",
        "mayfly_writer_epoch 1\n", kBuildInfo}) {
    EXPECT_NE(answer.body.find(line), std::string::npos) << line << answer.body;
  }
  EXPECT_EQ(answer.body.find("mayfly_status{directory=\"web\",key=\"name\"}"), std::string::npos);
  const std::string twin = "mayfly_status{directory=\"web\",key=\"\\\\xff\"}";
  const auto first = answer.body.find(twin);
  EXPECT_NE(first, std::string::npos);
  EXPECT_EQ(answer.body.find(twin, first + 1), std::string::npos);  // no series twice
  answer = get("/metrics", "Accept: application/openmetrics-text; version=1.0.0\r\n");
  EXPECT_EQ(answer.headers.at("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_NE(answer.body.find("# TYPE mayfly_records_stored counter\n"), std::string::npos);
  EXPECT_EQ(answer.body.substr(answer.body.size() - 6), "# EOF\n");
}

class ReadinessTest : public RelayFixture {};

TEST_F(ReadinessTest, IsSaidWithItsReason) {
  start_relay();
  EXPECT_EQ(get("/healthz").status, 200);
  auto answer = get("/readyz");
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(answer.body.find("data segment"), std::string::npos) << answer.body;
  EXPECT_EQ(get("/api/v1/directories").status, 503);
  EXPECT_EQ(get("/api/v1/logs/demo").status, 503);
  EXPECT_EQ(get("/metrics").status, 200);
  start_writer();
  EXPECT_NE(get("/readyz").body.find("quotas"), std::string::npos);
  EXPECT_EQ(get("/api/v1/directories").status, 200);
  stop_relay();

  shm::Rules rules;
  rules.version = "v1";
  shm::Rule listed;
  listed.name = "listed";
  rules.rules.push_back(listed);
  publish(rules);
  start_relay();
  EXPECT_EQ(get("/readyz").status, 503);  // ingestd has not applied them
  EXPECT_EQ(get("/api/v1/logs/listed").status, 200);
  EXPECT_EQ(get("/api/v1/logs/listed").body, "");
  EXPECT_EQ(get("/api/v1/logs/other").status, 404);
  writer_->publish_applied(1, 1, "v1", true);
  EXPECT_EQ(get("/readyz").status, 200);
}

TEST_F(ReadinessTest, AReplacedSegmentIsFollowed) {
  start_writer();
  put(open(shm::Kind::status, "web"), "a key of some length", "the old value of it");
  start_relay();
  EXPECT_EQ(get("/api/v1/status/web?key=a+key+of+some+length").body, "the old value of it");
  stop_writer();
  std::filesystem::remove(paths_.data);
  EXPECT_EQ(get("/api/v1/directories").status, 503);
  start_writer();
  put(open(shm::Kind::status, "web"), "a key of some length", "the new value of it");
  EXPECT_EQ(get("/api/v1/status/web?key=a+key+of+some+length").body, "the new value of it");
}

}  // namespace
}  // namespace mayfly::relayd
