#include "tests/relayd/loki_fixture.h"

namespace mayfly::relayd {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class LokiQueryTest : public LokiFixture {
 protected:
  void SetUp() override {
    LokiFixture::SetUp();
    const auto web = open(shm::Kind::log, "web");
    const auto app = open(shm::Kind::log, "app");
    const auto state = open(shm::Kind::status, "web");
    put_at(web, base_ns_ + 1, "access", "GET / level=info");
    put_at(app, base_ns_ + 1, "main", "an ERROR came up");
    put_at(web, base_ns_ + 30 * kSecond, "access", R"({"level":"warn","path":"/x"})");
    put_at(app, base_ns_ + 60 * kSecond, "main", "nothing");
    put_at(app, base_ns_ + 61 * kSecond, "other", "bytes \xff here");
    put_at(state, base_ns_ + 62 * kSecond, "pid", "123");
  }
  std::vector<std::pair<std::string, std::string>> all(const std::string& query) {
    return {{"query", query}, {"start", ns(base_ns_)}, {"end", ns(base_ns_ + 600 * kSecond)}};
  }
};

TEST_F(LokiQueryTest, StreamsComeAsLokiSendsThem) {
  const auto answer = ask_json("query_range", all(R"({directory="web", kind="log"})"));
  EXPECT_EQ(answer["status"], "success");
  EXPECT_EQ(answer["data"]["resultType"], "streams");
  const auto& result = answer["data"]["result"];
  ASSERT_EQ(result.size(), 2u);
  EXPECT_EQ(result[0]["stream"].dump(),
            R"({"detected_level":"info","directory":"web","key":"access","kind":"log"})");
  EXPECT_EQ(result[0]["values"].dump(), R"([[")" + ns(base_ns_ + 1) + R"(","GET / level=info"]])");
  EXPECT_EQ(result[1]["stream"]["detected_level"], "warn");
  const auto& summary = answer["data"]["stats"]["summary"];
  EXPECT_EQ(summary["totalEntriesReturned"], 2);
  EXPECT_EQ(summary["totalLinesProcessed"], 2);
  EXPECT_TRUE(summary["execTime"].is_number());
  EXPECT_FALSE(answer.contains("warnings"));
}

TEST_F(LokiQueryTest, LevelsStandApartWhereThatIsAskedFor) {
  const auto answer = ask_json("query_range", all(R"({directory="web", kind="log"})"),
                               {{"x-loki-response-encoding-flags", "categorize-labels"}});
  EXPECT_EQ(answer["data"]["encodingFlags"].dump(), R"(["categorize-labels"])");
  const auto& result = answer["data"]["result"];
  ASSERT_EQ(result.size(), 1u);
  EXPECT_EQ(result[0]["stream"].dump(), R"({"directory":"web","key":"access","kind":"log"})");
  ASSERT_EQ(result[0]["values"].size(), 2u);  // the newest first
  EXPECT_EQ(result[0]["values"][0][2].dump(), R"({"structuredMetadata":{"detected_level":"warn"}})");
  EXPECT_EQ(result[0]["values"][1][2].dump(), R"({"structuredMetadata":{"detected_level":"info"}})");
}

TEST_F(LokiQueryTest, FiltersAndDirections) {
  const auto count = [&](const std::string& query) {
    return lines_of(ask_json("query_range", all(query))["data"]["result"]).size();
  };
  EXPECT_EQ(count(R"({kind=~".+"})"), 6u);
  EXPECT_EQ(count(R"({kind="status"})"), 1u);
  EXPECT_EQ(count(R"({kind="log"} |= "level")"), 2u);
  EXPECT_EQ(count(R"({kind="log"} |= "level" != "GET")"), 1u);
  EXPECT_EQ(count(R"({kind="log"} |~ "(?i)error|NOTHING")"), 2u);
  EXPECT_EQ(count(R"({kind="log"} | detected_level=~"warn|error")"), 2u);
  EXPECT_EQ(count(R"({kind="log", key!="main"})"), 3u);
  EXPECT_EQ(count(R"({kind="log", server="here"})"), 0u);
  EXPECT_EQ(count(R"({detected_level="error"})"), 0u);  // it is no label of a stream
  auto answer = ask_json("query_range", all(R"({directory="app"} | drop detected_level, key)"));
  ASSERT_EQ(answer["data"]["result"].size(), 1u);
  EXPECT_EQ(answer["data"]["result"][0]["stream"].dump(), R"({"directory":"app","kind":"log"})");
  const auto& values = answer["data"]["result"][0]["values"];
  ASSERT_EQ(values.size(), 3u);
  EXPECT_EQ(values[0][1], "bytes \\xff here");
  EXPECT_EQ(values[2][1], "an ERROR came up");
  auto fields = all(R"({directory="app"} | drop detected_level, key)");
  fields.emplace_back("direction", "FORWARD");
  answer = ask_json("query_range", fields);
  EXPECT_EQ(answer["data"]["result"][0]["values"][0][1], "an ERROR came up");
}

TEST_F(LokiQueryTest, TimesAndDefaults) {
  const auto count = [&](std::vector<std::pair<std::string, std::string>> fields) {
    fields.emplace_back("query", R"({kind="log"})");
    return lines_of(ask_json("query_range", fields)["data"]["result"]).size();
  };
  EXPECT_EQ(count({}), 5u);
  EXPECT_EQ(count({{"since", "9m50s"}}), 3u);
  EXPECT_EQ(count({{"since", "1m"}}), 0u);
  EXPECT_EQ(count({{"start", ns(base_ns_ + 1)}, {"end", ns(base_ns_ + 2)}}), 2u);
  EXPECT_EQ(count({{"start", ns(base_ns_ + 2)}}), 3u);
  EXPECT_EQ(count({{"start", ns(base_ns_)}, {"end", ns(base_ns_ + 1)}}), 0u);
  EXPECT_EQ(count({{"start", ns(base_ns_ / kSecond + 60)}}), 2u);                     // seconds
  EXPECT_EQ(count({{"start", std::to_string(base_ns_ / kSecond + 60) + ".5"}}), 1u);  // with a fraction
  EXPECT_EQ(count({{"start", format_time(base_ns_ + 60 * kSecond)}}), 2u);            // RFC 3339
  EXPECT_EQ(count({{"start", ns(base_ns_)}, {"end", "99999999999999999999"}}), 5u);
  EXPECT_EQ(count({{"limit", "1"}}), 1u);
  EXPECT_EQ(count({{"interval", "31s"}, {"direction", "forward"}}), 2u);
  EXPECT_EQ(count({{"interval", "0.000000001"}}), 4u);  // of two at the same time the second is too near
}

TEST_F(LokiQueryTest, Metrics) {
  // What Grafana's "Save & test" sends.
  auto answer = ask_json("query", {{"query", "vector(1)+vector(1)"}, {"time", "4000000000"}, {"step", "1s"}});
  EXPECT_EQ(answer["data"]["resultType"], "vector");
  EXPECT_EQ(answer["data"]["result"].dump(), R"([{"metric":{},"value":[4000000000,"2"]}])");
  // Its histogram.
  auto fields =
      all(R"(sum by (level, detected_level) (count_over_time({kind="log"} |= "" | drop __error__ [30s])))");
  fields.emplace_back("step", "30");
  answer = ask_json("query_range", fields);
  EXPECT_EQ(answer["data"]["resultType"], "matrix");
  const auto& result = answer["data"]["result"];
  ASSERT_EQ(result.size(), 4u);
  EXPECT_EQ(result[0]["metric"].dump(), R"({"detected_level":"error"})");
  const auto second = base_ns_ / kSecond;
  EXPECT_EQ(result[0]["values"].dump(), "[[" + ns(second + 30) + ",\"1\"]]");
  EXPECT_EQ(result[2]["metric"].dump(), R"({"detected_level":"unknown"})");
  EXPECT_EQ(result[2]["values"].dump(), "[[" + ns(second + 60) + ",\"1\"],[" + ns(second + 90) + ",\"1\"]]");
  // An instant one, with the stream's own labels.
  answer = ask_json("query", {{"query", R"(topk(1, rate({directory="app"} | drop detected_level [100s])))"},
                              {"time", ns(base_ns_ + 70 * kSecond)}});
  EXPECT_EQ(answer["data"]["result"].dump(),
            R"([{"metric":{"directory":"app","key":"main","kind":"log"},"value":[)" + ns(second + 70) +
                R"(,"0.02"]}])");
  answer = ask_json("query", {{"query", "1 + 1"}, {"time", "7.25"}});
  EXPECT_EQ(answer["data"]["resultType"], "scalar");
  EXPECT_EQ(answer["data"]["result"].dump(), R"([7.25,"2"])");
  answer = ask_json("query", {{"query", R"(sum(bytes_over_time({directory="app"}[10m])) / 0)"}});
  EXPECT_EQ(answer["data"]["result"][0]["value"][1], "NaN");
}

TEST_F(LokiQueryTest, ErrorsAreTextAsLokis) {
  const std::vector<std::tuple<std::string, int, std::string>> table = {
      {target("query_range", {{"query", "{"}}), 400,
       "parse error at line 1, col 2: syntax error: unexpected $end"},
      {target("query_range", {}), 400, "parse error at line 1, col 1: syntax error: unexpected $end"},
      {target("query_range", {{"query", R"({a=~".*"})"}}), 400, "parse error : queries require at least one"},
      {target("query", {{"query", R"({kind="log"})"}}), 400,
       "log queries are not supported as an instant query type"},
      {target("query_range", {{"query", R"({kind="log"})"}, {"limit", "5001"}}), 400,
       "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)"},
      {target("query_range", {{"query", R"({kind="log"})"}, {"limit", "0"}}), 400,
       "limit must be a positive value"},
      {target("query_range", {{"query", R"({kind="log"})"}, {"limit", "x"}}), 400,
       "limit \"x\" is not a number"},
      {target("query_range", {{"query", R"({kind="log"})"}, {"direction", "up"}}), 400,
       "invalid direction \"up\""},
      {target("query_range", {{"query", R"({kind="log"})"}, {"start", "never"}}), 400,
       "start: cannot parse \"never\""},
      {target("query_range", {{"query", R"({kind="log"})"}, {"start", "200"}, {"end", "100"}}), 400,
       "end timestamp must not be before"},
      {target("query_range", {{"query", "vector(1)"}, {"start", "0"}, {"end", "11000"}, {"step", "1"}}), 400,
       "exceeded maximum resolution of 11,000 points per time series"},
      {target("query_range", {{"query", "vector(1)"}, {"step", "0"}}), 400,
       "zero or negative query resolution"},
      {target("query_range", {{"query", "vector(1)"}, {"step", "x"}}), 400,
       "cannot parse \"x\" to a valid duration"},
      {"/loki/api/v1/query_range?query=%zz", 400, "a % without two hexadecimal digits"},
      {target("series", {{"match[]", "{"}}), 400, "parse error at line 1, col 2"},
      {target("labels", {{"query", R"({a="b"} |= "x")"}}), 400, "only label matchers are supported"},
      {target("index/volume", {{"query", R"({a="b"})"}, {"aggregateBy", "x"}}), 400,
       "invalid aggregateBy option"},
      {target("tail", {{"query", R"({kind="log"})"}, {"delay_for", "6"}}), 400,
       "delay_for can't be greater than 5"},
      {target("tail", {{"query", "vector(1)"}}), 400, "only log selector is supported"},
      {target("nothing", {}), 404, "404 page not found"},
      {target("label/values", {}), 404, "404 page not found"},
      {target("push", {}), 404, "404 page not found"},
  };
  for (const auto& [path, status, text] : table) {
    const auto answer = ask(path);
    EXPECT_EQ(answer->status(), status) << path;
    EXPECT_THAT(answer->body(), HasSubstr(text)) << path;
  }
}

TEST_F(LokiQueryTest, ListsWhatThereIs) {
  EXPECT_EQ(ask_json("labels", {})["data"].dump(), R"(["directory","key","kind"])");
  EXPECT_EQ(ask_json("label", {{"query", R"({key="pid"})"}})["data"].size(), 3u);
  EXPECT_EQ(ask_json("labels", {{"query", R"({key="none"})"}})["data"].size(), 0u);
  EXPECT_EQ(ask_json("labels", {{"since", "1m"}})["data"].size(), 0u);
  EXPECT_EQ(ask_json("label/kind/values", {})["data"].dump(), R"(["log","status"])");
  EXPECT_EQ(ask_json("label/directory/values", {})["data"].dump(), R"(["app","web"])");
  EXPECT_EQ(ask_json("label/key/values", {})["data"].dump(), R"(["access","main","other","pid"])");
  EXPECT_EQ(ask_json("label/key/values", {{"query", R"({directory="app"})"}})["data"].dump(),
            R"(["main","other"])");
  EXPECT_EQ(ask_json("label/directory/values", {{"query", R"({key=~"p.*"})"}})["data"].dump(), R"(["web"])");
  EXPECT_EQ(ask_json("label/absent/values", {})["data"].dump(), "[]");
  EXPECT_EQ(
      ask_json("series",
               {{"match[]", R"({key="pid"})"}, {"match[]", R"({directory="app", key="main"})"}})["data"]
          .dump(),
      R"([{"directory":"app","key":"main","kind":"log"},{"directory":"web","key":"pid","kind":"status"}])");
  EXPECT_EQ(ask_json("series", {})["data"].size(), 4u);
  EXPECT_EQ(ask_json("index/stats", {{"query", R"({directory="app", key=~".+"})"}}).dump(),
            R"({"streams":2,"chunks":1,"entries":3,"bytes":35})");
  EXPECT_EQ(ask_json("index/stats", {{"query", R"({kind="log"})"}})["entries"], 5);
  EXPECT_EQ(ask_json("index/stats", {{"query", R"({kind="log"})"}, {"start", ns(base_ns_ + 2)}})["entries"],
            3);
  const auto info = ask_json("status/buildinfo", {});
  EXPECT_THAT(info["version"].get<std::string>(), StartsWith("3."));
  EXPECT_EQ(ask_json("format_query", {{"query", R"({ kind = "log" }|="x")"}})["data"],
            R"({kind="log"} |= "x")");
}

TEST_F(LokiQueryTest, Volumes) {
  auto fields = all(R"({directory=~".+", kind="log"})");
  auto answer = ask_json("index/volume", fields);
  EXPECT_EQ(answer["data"]["resultType"], "vector");
  ASSERT_EQ(answer["data"]["result"].size(), 2u);
  EXPECT_EQ(answer["data"]["result"][0]["metric"].dump(), R"({"directory":"web","kind":"log"})");
  EXPECT_EQ(answer["data"]["result"][0]["value"][1], "44");
  EXPECT_EQ(answer["data"]["result"][1]["value"][1], "35");
  fields.emplace_back("targetLabels", "key");
  fields.emplace_back("limit", "2");
  answer = ask_json("index/volume", fields);
  ASSERT_EQ(answer["data"]["result"].size(), 2u);
  EXPECT_EQ(answer["data"]["result"][1]["metric"].dump(), R"({"key":"main"})");
  fields.emplace_back("aggregateBy", "labels");
  EXPECT_EQ(ask_json("index/volume", fields)["data"]["result"][0]["metric"].dump(), R"({"key":""})");
  fields = all(R"({kind="log"})");
  fields.emplace_back("step", "60s");
  answer = ask_json("index/volume_range", fields);
  EXPECT_EQ(answer["data"]["resultType"], "matrix");
  ASSERT_EQ(answer["data"]["result"].size(), 1u);
  EXPECT_EQ(answer["data"]["result"][0]["values"].size(), 2u);
}

TEST_F(LokiQueryTest, IsCounted) {
  ask_json("labels", {});
  ask_json("query", {{"query", "vector(1)"}});
  const std::string scrape = ask("/metrics")->body();
  EXPECT_THAT(scrape, HasSubstr("mayfly_loki_queries_total 2\n"));
  EXPECT_THAT(scrape, HasSubstr("mayfly_loki_refused_total{limit=\"too_many\"} 0\n"));
  EXPECT_THAT(ask_as("app", "/metrics")->body(), ::testing::Not(HasSubstr("mayfly_loki")));
}

TEST_F(LokiQueryTest, ParametersComeInForms) {
  HttpRequest request;
  request.method = "POST";
  request.path = "/loki/api/v1/query";
  request.headers = {{"content-type", "application/x-www-form-urlencoded; charset=utf-8"}};
  request.body = "query=vector%281%29+%2B+vector(2)&time=5";
  const auto answer = hand_over(request);
  ASSERT_TRUE(answer->wait());
  EXPECT_THAT(answer->body(), HasSubstr(R"("value":[5,"3"])"));
  EXPECT_THAT(ask("/loki/api/v1/query;query=vector(1)%2Bvector(3);time=5")->body(),
              HasSubstr(R"("value":[5,"4"])"));
  request.method = "DELETE";
  const auto refused = hand_over(request);
  ASSERT_TRUE(refused->wait());
  EXPECT_EQ(refused->status(), 405);
}

TEST_F(LokiQueryTest, ShowsOnlyWhatTheScopeCovers) {
  const std::vector<std::string> targets = {
      target("label/directory/values", {}),
      target("label/key/values", {}),
      target("series", {}),
      target("query_range", all(R"({kind=~".+"})")),
      target("query_range", all(R"(sum by (directory, key) (count_over_time({kind=~".+"}[10m])))")),
      target("query", {{"query", R"(count_over_time({kind=~".+"}[20m]))"}}),
      target("index/volume", all(R"({directory=~".+"})")),
      target("index/volume_range", all(R"({directory=~".+", key=~".+"})")),
  };
  for (const auto& path : targets) {
    const std::string whole = ask(path)->body();
    const std::string part = ask_as("app", path)->body();
    EXPECT_THAT(part, HasSubstr("success")) << path;
    EXPECT_NE(part, whole) << path;
    for (const char* hidden : {"web", "access", "pid", "GET"}) {
      EXPECT_THAT(part, ::testing::Not(HasSubstr(hidden))) << path;
    }
    EXPECT_EQ(ask_as("app,", path)->status(), 400) << path;
  }
  EXPECT_EQ(ordered_json::parse(ask_as("none", target("labels", {}))->body())["data"].size(), 0u);
  EXPECT_THAT(ask_as("app", target("index/stats", {{"query", R"({kind=~".+"})"}}))->body(),
              HasSubstr(R"("entries":3)"));
}

}  // namespace
}  // namespace mayfly::relayd
