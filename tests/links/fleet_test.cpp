// What is read from all hosts at once.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "hubd/fan_out.h"
#include "hubd/search_merge.h"
#include "tunnel_fixture.h"

namespace mayfly::hubd {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using test::http_get;
using test::TestAnswer;
using testing::HasSubstr;
using testing::Not;

AutoServer::Answer text_answer(const std::string& body, int status = 200) {
  return {{status, {{"content-type", "text/plain"}}}, body};
}

/// What relayd says, with one log "app-1" and one "other".
AutoServer::Answer like_relayd(const std::string& name, const WrappedRequest& request) {
  const auto line = [&](const std::string& time, const std::string& text) {
    return "{\"seq\":1,\"time\":\"2026-11-21T10:00:" + time + "Z\",\"key\":\"k\",\"line\":\"" + text +
           "\"}\n";
  };
  if (request.uri == "/metrics") return text_answer("# TYPE m_x gauge\nm_x 1\n");
  if (request.uri == "/api/v1/directories") {
    return text_answer(
        R"({"directories":[{"kind":"log","name":"app-1","records":2},{"kind":"log","name":"other","records":1},)"
        R"({"kind":"log","name":"none","records":0},{"kind":"status","name":"web","records":1},)"
        R"({"kind":"log","name":"../etc","records":1}]})");
  }
  if (request.uri.starts_with("/api/v1/logs/app-1?")) {
    return text_answer(line("01", name + " first") + line("03", name + " third"));
  }
  if (request.uri.starts_with("/api/v1/logs/other?")) return text_answer(line("02", name + " other"));
  return text_answer("no\n", 404);
}

class FleetTest : public TunnelTest {
 protected:
  void SetUp() override { start({.poll_hold = milliseconds(20)}); }

  std::unique_ptr<AutoServer> relayd(const std::string& name, bool takes_scopes = true) {
    auto server = std::make_unique<AutoServer>(
        port(), name, [name](const WrappedRequest& request) { return like_relayd(name, request); },
        takes_scopes);
    EXPECT_TRUE(eventually([&] { return state(name).connected; }));
    return server;
  }
  void be(const std::string& server, const std::string& prefix) {
    auto person = std::make_shared<Reader>();
    person->kind = Reader::Kind::person;
    person->rights = {{server, prefix}};
    reader_ = person;
  }
  json get_json(const std::string& target, const std::string& headers = "") {
    const TestAnswer answer = http_get(port(), target, headers);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.headers.at("content-type"), "application/json");
    EXPECT_EQ(answer.headers.at("cache-control"), "no-store");
    return json::parse(answer.body);
  }
  static std::vector<std::string> lines_of(const json& found) {
    std::vector<std::string> lines;
    for (const auto& record : found["records"]) lines.push_back(record["line"]);
    return lines;
  }
};

TEST_F(FleetTest, TheListIsPtths) {
  EXPECT_EQ(http_get(port(), "/scraper/v1/server_list").body,
            "{\"servers\":[{\"name\":\"beta\",\"display_name\":\"Beta Display\",\"last_seen\":null},"
            "{\"name\":\"alpha\",\"display_name\":\"alpha\",\"last_seen\":null}]}\n");
  const auto alpha = relayd("alpha");
  EXPECT_THAT(std::string(get_json("/scraper/api/server_list")["servers"][1]["last_seen"]),
              testing::MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\\.[0-9]+\\+00:00"));
  be("beta", "");
  EXPECT_EQ(get_json("/scraper/v1/server_list")["servers"].size(), 1u);
  EXPECT_EQ(http_get(port(), "/scraper/api/test").body, "You're valid!\n");
  EXPECT_EQ(http_get(port(), "/scraper/v2/test").body, "Unknown scraper API version\n");
  EXPECT_EQ(http_get(port(), "/scraper/v1/nothing").body, "Unknown scraper API endpoint\n");
}

TEST_F(FleetTest, DiscoveryNamesTheHubAndAPathForEachServer) {
  const json groups = get_json("/scraper/v1/http_sd");
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0]["targets"], json::array({"localhost"}));
  EXPECT_EQ(groups[0]["labels"]["__metrics_path__"], "/scraper/v1/server/alpha/metrics");
  EXPECT_EQ(groups[0]["labels"]["__scheme__"], "http");
  EXPECT_EQ(groups[0]["labels"]["server"], "alpha");
  be("beta", "app-");
  EXPECT_EQ(get_json("/scraper/v1/http_sd").size(), 1u);
}

TEST_F(FleetTest, OneScrapeGivesAllHosts) {
  const auto alpha = relayd("alpha");
  const TestAnswer text = http_get(port(), "/scraper/v1/metrics");
  EXPECT_EQ(text.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(text.body, HasSubstr("# TYPE m_x gauge\nm_x{server=\"alpha\"} 1\n"));
  EXPECT_THAT(text.body,
              HasSubstr("mayfly_host_up{server=\"alpha\"} 1\nmayfly_host_up{server=\"beta\"} 0\n"));
  const TestAnswer open = http_get(port(), "/scraper/v1/metrics",
                                   "Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1\r\n");
  EXPECT_EQ(open.headers.at("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_TRUE(open.body.ends_with("# EOF\n"));
  be("beta", "");
  EXPECT_THAT(http_get(port(), "/scraper/v1/metrics").body, Not(HasSubstr("alpha")));
}

TEST_F(FleetTest, AHostThatDoesNotAnswerHoldsUpNoScrape) {
  const auto alpha = relayd("alpha");
  AutoServer silent(port(), "beta", [](const WrappedRequest&) { return AutoServer::Answer(); });
  ASSERT_TRUE(eventually([&] { return state("beta").connected; }));
  const TestAnswer answer =
      http_get(port(), "/scraper/v1/metrics", "X-Prometheus-Scrape-Timeout-Seconds: 0.1\r\n");
  EXPECT_THAT(answer.body, HasSubstr("m_x{server=\"alpha\"} 1\n"));
  EXPECT_THAT(answer.body, HasSubstr("mayfly_host_up{server=\"beta\"} 0\n"));
  EXPECT_TRUE(has_in_flight(0, "beta")) << "the question is withdrawn";
}

TEST_F(FleetTest, ASearchMergesByTime) {
  const auto alpha = relayd("alpha"), beta = relayd("beta");
  const json found = get_json("/api/v1/search?q=.*&since=15m");
  EXPECT_THAT(lines_of(found), testing::ElementsAre("alpha first", "beta first", "alpha other", "beta other",
                                                    "alpha third", "beta third"));
  EXPECT_EQ(found["complete"], true);
  EXPECT_EQ(found["left_out"], json::array());
  EXPECT_EQ(found["query"], ".*");
  EXPECT_EQ(
      found["records"][0],
      json::parse(R"({"server":"alpha","directory":"app-1","seq":1,"time":"2026-11-21T10:00:01.000000000Z",)"
                  R"("key":"k","line":"alpha first"})"));
  const json limited = get_json("/api/v1/search?q=x&limit=1&server=beta");
  EXPECT_THAT(lines_of(limited), testing::ElementsAre("beta third"));
  EXPECT_EQ(limited["left_out"], json::parse(R"([{"reason":"limit","records":2}])"));
  EXPECT_EQ(limited["complete"], false);
  EXPECT_THAT(lines_of(get_json("/api/v1/search?q=x&directory=other")),
              testing::ElementsAre("alpha other", "beta other"));
}

TEST_F(FleetTest, ASearchSaysWhatItLeftOut) {
  const auto alpha = relayd("alpha", false);
  be("*", "app-");
  EXPECT_EQ(
      get_json("/api/v1/search?q=x")["left_out"],
      json::parse(R"([{"server":"alpha","reason":"no_rights"},{"server":"beta","reason":"not_connected"}])"));
}

TEST_F(FleetTest, ASearchStaysWithinTheRights) {
  std::atomic<int> scoped{0}, other{0};
  AutoServer alpha(port(), "alpha", [&](const WrappedRequest& request) {
    for (const auto& [name, value] : request.headers)
      scoped += name == "mayfly-scope" && value == "app-" ? 1 : 0;
    other += request.uri.starts_with("/api/v1/logs/other") ? 1 : 0;
    return like_relayd("alpha", request);
  });
  ASSERT_TRUE(eventually([&] { return state("alpha").connected; }));
  be("alpha", "app-");
  const json found = get_json("/api/v1/search?q=x");
  EXPECT_THAT(lines_of(found), testing::ElementsAre("alpha first", "alpha third"));
  EXPECT_EQ(found["complete"], true) << "beta does not exist for this reader: " << found;
  EXPECT_EQ(scoped, 2);
  EXPECT_EQ(other, 0) << "asked for although the reader may not see it";
}

TEST_F(FleetTest, SearchesThatAreWrong) {
  for (const char* query : {"", "?q=", "?q=(", "?q=a&q=b", "?q=%zz", "?q=a&limit=0", "?q=a&limit=5001",
                            "?q=a&limit=x", "?q=a&since=never", "?q=a&until="}) {
    const TestAnswer answer = http_get(port(), std::string("/api/v1/search") + query);
    EXPECT_EQ(answer.status, 400) << query;
    EXPECT_EQ(answer.headers.at("content-type"), "application/problem+json");
  }
  EXPECT_EQ(http_get(port(), "/api/v1/search?q=" + std::string(1025, 'a')).status, 400);
}

TEST_F(FleetTest, HostileAnswersToASearch) {
  AutoServer alpha(port(), "alpha", [&](const WrappedRequest& request) -> AutoServer::Answer {
    if (request.uri == "/api/v1/directories") return like_relayd("alpha", request);
    if (request.uri.starts_with("/api/v1/logs/other")) return text_answer(std::string(4 << 20, '['));
    return text_answer(
        "nonsense\n{\"seq\":1}\n[1,2]\n{\"seq\":-1,\"time\":\"x\",\"key\":\"\",\"line\":\"\"}\n"
        "{\"seq\":1,\"time\":\"2026-11-21T10:00:00Z\",\"key\":\"k\",\"line\":\"<script>\",\"server\":"
        "\"beta\",\"line_b64\":\"YQ==\"}\n");
  });
  ASSERT_TRUE(eventually([&] { return state("alpha").connected; }));
  const json found = get_json("/api/v1/search?q=x&server=alpha");
  ASSERT_EQ(found["records"].size(), 1u);
  EXPECT_EQ(found["records"][0]["server"], "alpha");
  EXPECT_EQ(found["records"][0]["line_b64"], "YQ==");
  EXPECT_EQ(found["left_out"],
            json::parse(R"([{"server":"alpha","directory":"app-1","reason":"malformed","records":4},)"
                        R"({"server":"alpha","directory":"other","reason":"too_large"}])"));
}

TEST_F(FleetTest, TooManyReadsAtOnceAreTurnedAway) {
  AutoServer silent(port(), "alpha", [](const WrappedRequest&) { return AutoServer::Answer(); });
  ASSERT_TRUE(eventually([&] { return state("alpha").connected; }));
  std::vector<std::unique_ptr<test::TestConnection>> readers;
  for (unsigned i = 0; i < Fleet::kMaxReads; ++i) {
    readers.push_back(std::make_unique<test::TestConnection>(port()));
    readers.back()->send("GET /api/v1/search?q=x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return state("alpha").in_flight + state("alpha").waiting == i + 1; }));
  }
  EXPECT_EQ(http_get(port(), "/api/v1/search?q=x").status, 503);
  readers.clear();
  EXPECT_TRUE(eventually([&] { return state("alpha").in_flight == 0; })) << "nobody waits any more";
  EXPECT_EQ(http_get(port(), "/api/v1/search?q=x&server=beta").status, 200);
}

TEST(SearchMerge, ListsAreReadWithCare) {
  bool malformed = false;
  const Scope all{true, {}};
  EXPECT_TRUE(log_directories("nonsense", all, malformed).empty());
  EXPECT_TRUE(malformed);
  log_directories("[]", all, malformed);
  EXPECT_TRUE(malformed);
  log_directories(std::string(100000, '['), all, malformed);
  EXPECT_TRUE(malformed);
  EXPECT_THAT(
      log_directories(
          R"({"directories":[1,{"kind":"log","name":5},{"kind":"log","name":"a"},{"kind":"log","name":"a"}]})",
          all, malformed),
      testing::ElementsAre("a"));
  EXPECT_FALSE(malformed);
}

}  // namespace
}  // namespace mayfly::hubd
