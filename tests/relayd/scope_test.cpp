#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/relayd/tunnel_fixture.h"

namespace mayfly::relayd {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;
using ::testing::Not;

HttpRequest scoped_request(std::vector<std::string> scopes, bool tunnelled = true) {
  HttpRequest request;
  for (auto& scope : scopes) request.headers.emplace_back(std::string(kReadScopeHeader), std::move(scope));
  request.tunnelled = tunnelled;
  return request;
}

TEST(ReadScopeTest, SaysWhichNamesItCovers) {
  EXPECT_TRUE(ReadScope::of(scoped_request({})).value().sees_everything());
  EXPECT_TRUE(ReadScope::of(scoped_request({"app-"}, false)).value().sees_everything());
  const ReadScope scope = ReadScope::of(scoped_request({"app-,we%62"})).value();
  EXPECT_FALSE(scope.sees_everything());
  EXPECT_TRUE(scope.covers("app-"));
  EXPECT_TRUE(scope.covers("app-one"));
  EXPECT_TRUE(scope.covers("web"));
  EXPECT_FALSE(scope.covers("app"));
  EXPECT_FALSE(scope.covers("we"));
  EXPECT_FALSE(scope.covers(""));
  EXPECT_TRUE(scope.admit(shm::Kind::log, "website"));
  EXPECT_FALSE(scope.admit(shm::Kind::log, "db"));
}

TEST(ReadScopeTest, ComesBackAsItWasWritten) {
  const std::vector<std::string> prefixes = {"a,b", "%", "x y", "plain"};
  EXPECT_EQ(parse_read_scope(format_read_scope(prefixes)).value(), prefixes);
}

TEST(ReadScopeTest, RefusesWhatIsMalformed) {
  const std::vector<std::vector<std::string>> cases = {{""},  {","},  {"a,"},    {",a"},     {"a,,b"},
                                                       {"%"}, {"%4"}, {"a,%zz"}, {"a", "b"}, {"a", "a"}};
  for (const auto& scopes : cases) {
    EXPECT_FALSE(ReadScope::of(scoped_request(scopes)).ok()) << scopes[0];
  }
}

class ScopeTest : public TunnelFixture {
 protected:
  void SetUp() override {
    start_writer();
    shm::Quotas large;
    large.max_total_bytes = large.max_bytes_per_key = 4 << 20;
    large.max_events_per_key = large.max_keys = 100'000;
    for (const char* name : {"app-one", "secret"}) {
      put(open(shm::Kind::log, name), "key", std::string("line of ") + name);
      put(open(shm::Kind::status, name), "key", std::string("7"));
    }
    put_many(open(shm::Kind::log, "secret-large", large), "key", 1, 20'000, std::string(100, '.'));
    const auto table = open(shm::Kind::status, "secret-table", large);
    for (int i = 0; i < 1500; ++i) put(table, std::to_string(i), std::string(1000, '7'));
    worker_->count_unattributed(shm::DropCause::unknown_directory, 3);
    start_api();
  }
};

TEST_F(ScopeTest, ShowsOnlyDirectoriesWithinIt) {
  auto object = ordered_json::parse(ask_as("app-", "/api/v1/directories")->body());
  ASSERT_EQ(object["directories"].size(), 2u);
  for (const auto& directory : object["directories"]) EXPECT_EQ(directory["name"], "app-one");
  EXPECT_EQ(object["unknown"]["dropped"]["unknown_directory"], 0);
  EXPECT_FALSE(object.contains("segment")) << "the host's own business";
  object = ordered_json::parse(ask("/api/v1/directories")->body());
  EXPECT_EQ(object["directories"].size(), 6u);
  EXPECT_TRUE(object.contains("segment"));
  EXPECT_EQ(object["unknown"]["dropped"]["unknown_directory"], 3);
}

TEST_F(ScopeTest, AnswersForOthersAsIfTheyDidNotExist) {
  for (const std::string path :
       {"logs/", "status/", "tail/", "watch/", "keys/", "logs/;follow=1;x=", "status/?prefix=k&x="}) {
    const auto target = [&](const std::string& name) {
      const std::size_t at = path.find('/') + 1;
      return "/api/v1/" + path.substr(0, at) + name + path.substr(at);
    };
    std::string hidden;
    for (const std::string name : {"secret", "secret-large", "secret-table", "absent"}) {
      const auto answer = ask_as("app-,%61bsent", target(name));
      EXPECT_EQ(answer->status(), 404) << target(name);
      std::string body = answer->body();
      for (std::size_t at; (at = body.find(name)) != std::string::npos;)
        body.replace(at, name.size(), "NAME");
      if (hidden.empty()) hidden = body;
      EXPECT_EQ(body, hidden);
    }
  }
  EXPECT_THAT(ask_as("app-", "/api/v1/logs/app-one")->body(), HasSubstr("line of app-one"));
  EXPECT_EQ(ask_as("app-", "/api/v1/status/app-one/key")->body(), "7");
  EXPECT_EQ(ask_as("app-", "/api/v1/status/secret/key")->status(), 404);
  EXPECT_EQ(ask_as("app-", "/api/v1/status/secret-table/1")->status(), 404);
}

TEST_F(ScopeTest, NarrowsTheMetrics) {
  const std::string part = ask_as("app-", "/metrics")->body();
  EXPECT_THAT(part, HasSubstr("mayfly_status{directory=\"app-one\",key=\"key\"} 7"));
  EXPECT_THAT(part, Not(HasSubstr("secret")));
  EXPECT_THAT(part, Not(HasSubstr("directory=\"\"")));
  EXPECT_THAT(part, Not(HasSubstr("mayfly_segment_bytes")));
  const std::string all = ask("/metrics")->body();
  EXPECT_THAT(all, HasSubstr("secret-table"));
  EXPECT_THAT(all, HasSubstr("mayfly_segment_bytes"));
}

TEST_F(ScopeTest, CountsOnlyInATunnel) {
  const HttpHeaders header = {{std::string(kReadScopeHeader), "app-"}};
  EXPECT_EQ(ask("/api/v1/logs/secret", header, true)->status(), 404);
  EXPECT_EQ(ask("/api/v1/logs/secret", header, false)->status(), 200);
}

TEST_F(ScopeTest, IsRefusedWhereItIsMalformed) {
  for (const std::string target : {"/api/v1/directories", "/metrics", "/api/v1/logs/app-one", "/healthz"}) {
    EXPECT_EQ(ask_as("app-,", target)->status(), 400) << target;
    EXPECT_EQ(ask_as("%", target)->status(), 400) << target;
  }
}

}  // namespace
}  // namespace mayfly::relayd
