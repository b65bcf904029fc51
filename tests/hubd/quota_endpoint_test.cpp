// The endpoint over real sockets.
#include <gmock/gmock.h>

#include <memory>
#include <vector>

#include "common/quota_document.h"
#include "common/tripcode.h"
#include "hub_fixture.h"

namespace mayfly::hubd {
namespace {

using testing::HasSubstr;

const std::string kKey = "a key nobody guesses";
const std::string kHeader = "X-ApiKey: " + kKey + "\r\n";
const std::string kQuotas = "/mayfly/v1/quotas/web-1";

std::string file(const std::string& directory, const std::string& more = "") {
  return "listen: 127.0.0.1:0\nservers:\n  - {name: web-1, tripcode: \"" + tripcode(kKey) +
         "\"}\n  - {name: web-2, tripcode: \"" + tripcode(kKey + "2") + "\"}\n" + more +
         "directories:\n  - {kind: log, name: " + directory + "}\n";
}

class QuotaEndpointTest : public HubTest {
 protected:
  void SetUp() override {
    HubTest::SetUp();
    put("hub.yaml", file("demo"));
    start_with_file();
  }
  std::string etag() const { return get(kQuotas, kHeader).headers["etag"]; }
  static std::string knowing(const std::string& etag) { return kHeader + "If-None-Match: " + etag + "\r\n"; }
  bool polls_wait(int count) const {
    return eventually([&] { return metric("mayfly_hub_waiting_polls") == count; });
  }
};

TEST_F(QuotaEndpointTest, GivesTheDocumentAndItsVersion) {
  const Reply reply = get(kQuotas, kHeader);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers.at("content-type"), "application/json");
  EXPECT_EQ(reply.headers.at("cache-control"), "no-store");
  const auto rules = parse_quota_document(reply.body);
  ASSERT_TRUE(rules.ok()) << rules.error().text;
  EXPECT_EQ("\"" + rules.value().version + "\"", reply.headers.at("etag"));
  EXPECT_EQ(rules.value().rules.at(0).name, "demo");
}

TEST_F(QuotaEndpointTest, AnotherHubOfTheSameFileGivesTheSameVersion) {
  const std::string before = etag();
  stop();
  start_with_file();
  EXPECT_EQ(etag(), before);
}

TEST_F(QuotaEndpointTest, KnownVersionsAreNotSentAgain) {
  const std::string known = etag();
  EXPECT_EQ(get(kQuotas, knowing(known)).status, 304);
  EXPECT_EQ(get(kQuotas, knowing("\"x\", W/" + known)).status, 304);
  EXPECT_EQ(get(kQuotas, knowing("*")).status, 304);
  EXPECT_EQ(get(kQuotas + "?wait=30", knowing("\"other\"")).status, 200);
  EXPECT_EQ(get(kQuotas + "?wait=30", kHeader).status, 200);
}

TEST_F(QuotaEndpointTest, AWaitWithoutChangeEndsByItself) {
  const std::string known = etag();
  Client client(port());
  for (int i = 0; i < 2; ++i) {
    const Reply reply = client.get(kQuotas + "?wait=1", knowing(known));
    EXPECT_EQ(reply.status, 304);
    EXPECT_EQ(reply.headers.at("etag"), known);
  }
}

TEST_F(QuotaEndpointTest, AChangeEndsTheWait) {
  const std::string known = etag();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<Client>(port()));
    clients.back()->ask(kQuotas + "?wait=60", knowing(known));
  }
  ASSERT_TRUE(polls_wait(20));
  replace("hub.yaml", file("other"));
  for (const auto& client : clients) {
    const Reply reply = client->read();
    EXPECT_EQ(reply.status, 200);
    EXPECT_NE(reply.headers.at("etag"), known);
    EXPECT_THAT(reply.body, HasSubstr("\"other\""));
  }
  EXPECT_TRUE(polls_wait(0));
}

TEST_F(QuotaEndpointTest, AChangeForOthersDoesNot) {
  const std::string known = etag();
  Client one(port()), two(port());
  one.ask(kQuotas + "?wait=60", knowing(known));
  const std::string key2 = "X-ApiKey: " + kKey + "2\r\n";
  const std::string known2 = get("/mayfly/v1/quotas/web-2", key2).headers["etag"];
  two.ask("/mayfly/v1/quotas/web-2?wait=60", key2 + "If-None-Match: " + known2 + "\r\n");
  ASSERT_TRUE(polls_wait(2));
  replace("hub.yaml", file("demo") + "  - {kind: log, name: more, servers: [web-2]}\n");
  EXPECT_EQ(two.read().status, 200);
  EXPECT_TRUE(polls_wait(1));
  EXPECT_EQ(etag(), known);
}

TEST_F(QuotaEndpointTest, ARevokedKeyEndsTheWait) {
  Client client(port());
  client.ask(kQuotas + "?wait=60", knowing(etag()));
  ASSERT_TRUE(polls_wait(1));
  replace("hub.yaml", "listen: 127.0.0.1:0\nservers: [{name: web-1, tripcode: \"" +
                          tripcode("a new key of ours") + "\"}]\n");
  EXPECT_EQ(client.read().status, 401);
  EXPECT_EQ(get(kQuotas, kHeader).status, 401);
}

TEST_F(QuotaEndpointTest, AReaderThatGoesAwayIsForgotten) {
  {
    Client client(port());
    client.ask(kQuotas + "?wait=60", knowing(etag()));
    ASSERT_TRUE(polls_wait(1));
  }
  EXPECT_TRUE(polls_wait(0));
}

TEST_F(QuotaEndpointTest, TooManyWaitsOfOneServerAreRefused) {
  const std::string known = etag();
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i < ParkedPolls::kMaxPerServer; ++i) {
    clients.push_back(std::make_unique<Client>(port()));
    clients.back()->ask(kQuotas + "?wait=60", knowing(known));
  }
  ASSERT_TRUE(polls_wait(static_cast<int>(ParkedPolls::kMaxPerServer)));
  EXPECT_EQ(get(kQuotas + "?wait=60", knowing(known)).status, 429);
}

TEST_F(QuotaEndpointTest, WrongKeysAndUnknownServersLookTheSame) {
  const Reply none = get(kQuotas);
  const Reply wrong = get(kQuotas, "X-ApiKey: wrong\r\n");
  const Reply other = get(kQuotas, "X-ApiKey: " + kKey + "2\r\n");
  const Reply unknown = get("/mayfly/v1/quotas/web-9", kHeader);
  EXPECT_EQ(none.status, 401);
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(wrong.body, unknown.body);
  EXPECT_EQ(wrong.body, none.body);
  EXPECT_EQ(wrong.body, other.body);
  EXPECT_EQ(wrong.headers.at("content-type"), "application/problem+json");
  EXPECT_THAT(wrong.body, HasSubstr("\"code\":\"bad_key\""));
  EXPECT_EQ(metric("mayfly_hub_wrong_keys_total"), 4);
}

TEST_F(QuotaEndpointTest, WrongKeysAreLimitedForEachServer) {
  Client client(port());
  EXPECT_TRUE(eventually([&] { return client.get(kQuotas, "X-ApiKey: wrong\r\n").status == 429; }));
  EXPECT_GE(metric("mayfly_hub_rate_limited_total"), 1);
  EXPECT_EQ(get("/mayfly/v1/quotas/web-2", "X-ApiKey: " + kKey + "2\r\n").status, 200);
}

TEST_F(QuotaEndpointTest, OtherPathsAndMethods) {
  EXPECT_EQ(get("/nothing").status, 404);
  EXPECT_EQ(get("/mayfly/v1/quotas", kHeader).status, 404);
  EXPECT_EQ(get("/mayfly/v1/quotas/", kHeader).status, 404);
  EXPECT_EQ(get("/mayfly/v1/quotas/web-1/x", kHeader).status, 404);
  EXPECT_EQ(get("/mayfly/v1/quotas/web%2F1", kHeader).status, 404);
  EXPECT_EQ(get("/mayfly/v1/quotas/web%2D1", kHeader).status, 200);
  for (const char* wait : {"?wait=", "?wait=x", "?wait=-1", "?wait=1&wait=1"}) {
    EXPECT_EQ(get(kQuotas + wait, kHeader).status, 400) << wait;
  }
  EXPECT_EQ(get(kQuotas + "?other=1", kHeader).status, 200);
  Client client(port());
  client.send("POST " + kQuotas + " HTTP/1.1\r\nHost: localhost\r\n" + kHeader + "Content-Length: 0\r\n\r\n");
  const Reply reply = client.read();
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(reply.headers.at("allow"), "GET, HEAD");
}

TEST_F(QuotaEndpointTest, OnlyNamesOfItsOwnAreAnswered) {
  const auto status = [&](const std::string& host, const std::string& target) {
    Client client(port());
    client.send("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + kHeader + "\r\n");
    return client.read().status;
  };
  EXPECT_EQ(status("localhost", kQuotas), 200);
  EXPECT_EQ(status("relay.example.org", kQuotas), 421);
  EXPECT_EQ(status("relay.example.org", "/metrics"), 421);
  EXPECT_EQ(status("relay.example.org", "/healthz"), 200);
  EXPECT_EQ(status("relay.example.org", "/readyz"), 200);
  replace("hub.yaml", file("demo", "hosts: [relay.example.org]\n"));
  EXPECT_TRUE(eventually([&] { return status("relay.example.org", kQuotas) == 200; }));
  EXPECT_EQ(status("other.example.org", kQuotas), 421);
}

TEST_F(QuotaEndpointTest, CountsItsAnswers) {
  get(kQuotas, kHeader);
  get("/nothing");
  EXPECT_EQ(metric("mayfly_hub_requests_total{code=\"404\"}"), 1);
  EXPECT_EQ(metric("mayfly_hub_requests_total{code=\"200\"}"), 2);
  EXPECT_EQ(metric("mayfly_build_info{version=\"" MAYFLY_VERSION "\"}"), 1);
  EXPECT_EQ(metric("mayfly_hub_servers"), 2);
}

}  // namespace
}  // namespace mayfly::hubd
