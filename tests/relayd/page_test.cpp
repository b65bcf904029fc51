// What relayd serves to a browser.
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "common/static_assets.h"
#include "tests/relayd/relay_fixture.h"

namespace mayfly::relayd {
namespace {

class PageTest : public RelayFixture {
 protected:
  void SetUp() override { start_relay(); }
};

TEST_F(PageTest, IsHeldToItsPolicyAndNeverCachedBlindly) {
  const auto page = get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.headers.at("content-type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.headers.at("content-security-policy"), kPagePolicy);
  EXPECT_EQ(page.headers.at("cache-control"), "no-cache");
  EXPECT_EQ(page.headers.at("x-content-type-options"), "nosniff");
  EXPECT_EQ(page.body.find("@"), std::string::npos) << "a placeholder was left";
  const auto again = get("/", "If-None-Match: " + page.headers.at("etag") + "\r\n");
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(again.headers.at("etag"), page.headers.at("etag"));
  test::TestConnection connection(port_);
  connection.send("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const auto head = connection.read_answer(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("content-length"), std::to_string(page.body.size()));
}

TEST_F(PageTest, NothingInItIsInline) {
  for (const StaticAsset& asset : web_assets().files) {
    if (!asset.name.ends_with(".html")) continue;
    const std::string text(asset.bytes);
    EXPECT_EQ(text.find(" style="), std::string::npos) << asset.name;
    EXPECT_EQ(text.find("<style"), std::string::npos) << asset.name;
    EXPECT_FALSE(std::regex_search(text, std::regex(" on[a-z]+ *="))) << asset.name;
    for (std::size_t at = text.find("<script"); at != std::string::npos; at = text.find("<script", at + 1)) {
      EXPECT_NE(text.substr(at, text.find('>', at) - at).find("src="), std::string::npos) << asset.name;
    }
  }
}

TEST_F(PageTest, ItsFilesNeverChangeWhereTheyAre) {
  const std::string page = get("/").body;
  const std::string root = "assets/" + std::string(web_assets().version) + "/";
  EXPECT_NE(page.find("src=\"" + root + "app.js\""), std::string::npos) << page;
  const auto script = get("/" + root + "app.js");
  EXPECT_EQ(script.status, 200);
  EXPECT_EQ(script.headers.at("content-type"), "text/javascript; charset=utf-8");
  EXPECT_NE(script.headers.at("cache-control").find("immutable"), std::string::npos);
  const auto packed = get("/" + root + "app.js", "Accept-Encoding: gzip\r\n");
  EXPECT_EQ(packed.headers.at("content-encoding"), "gzip");
  EXPECT_EQ(packed.headers.at("vary"), "Accept-Encoding");
  EXPECT_LT(packed.body.size(), script.body.size());
  EXPECT_EQ(packed.body.substr(0, 2), "\x1f\x8b");
  EXPECT_NE(packed.headers.at("etag"), script.headers.at("etag"));
  EXPECT_EQ(get("/" + root + "lists.css").headers.at("content-type"), "text/css; charset=utf-8");
  EXPECT_EQ(get("/" + root + "chart.min.js").status, 200);
  EXPECT_EQ(get("/" + root + "mayfly.svg").headers.at("content-type"), "image/svg+xml");
}

TEST_F(PageTest, WhatIsNotThereIsSaid) {
  const std::string version(web_assets().version);
  const std::vector<std::string> paths = {"/assets/",
                                          "/assets/app.js",
                                          "/assets/0123456789abcdef/app.js",
                                          "/assets/" + version,
                                          "/assets/" + version + "/none.js",
                                          "/assets/" + version + "/host.html",
                                          "/assets/" + version + "/%61pp.js",
                                          "/assets/" + version + "/../" + version + "/app.js"};
  for (const std::string& path : paths) {
    const auto answer = get(path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.headers.at("content-type"), "application/problem+json") << path;
  }
  test::TestConnection connection(port_);
  connection.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(connection.read_answer().status, 405);
}

TEST_F(PageTest, EveryFileThatAScriptImportsIsThere) {
  std::set<std::string_view> names;
  for (const StaticAsset& asset : web_assets().files)
    EXPECT_TRUE(names.insert(asset.name).second) << asset.name;
  std::size_t imports = 0;
  for (const StaticAsset& asset : web_assets().files) {
    if (!asset.name.ends_with(".js") || asset.name == "chart.min.js") continue;
    for (std::size_t at = asset.bytes.find("'./"); at != std::string_view::npos;
         at = asset.bytes.find("'./", at + 1)) {
      const std::string_view name = asset.bytes.substr(at + 3, asset.bytes.find('\'', at + 3) - at - 3);
      EXPECT_TRUE(names.contains(name)) << asset.name << " imports " << name;
      ++imports;
    }
  }
  EXPECT_GT(imports, 50u);
}

class KeysTest : public RelayFixture {
 protected:
  nlohmann::json keys(const std::string& target) { return nlohmann::json::parse(get(target).body); }
};

TEST_F(KeysTest, AreListedWithWhatTheyHold) {
  start_writer();
  const auto demo = open(shm::Kind::log, "demo");
  open(shm::Kind::log, "idle");
  open(shm::Kind::status, "web");
  put(demo, "b", "1");
  put(demo, "a", "2");
  put(demo, "b", "3");
  put(demo, "\xff", "4");
  start_relay();
  const auto answer = keys("/api/v1/keys/demo");
  EXPECT_EQ(answer["directory"], "demo");
  EXPECT_EQ(answer["more"], 0);
  ASSERT_EQ(answer["keys"].size(), 3u);
  EXPECT_EQ(answer["keys"][0]["key"], "a");
  EXPECT_EQ(answer["keys"][1]["key"], "b");
  EXPECT_EQ(answer["keys"][1]["records"], 2);
  EXPECT_EQ(answer["keys"][1]["last_seq"], 3);
  EXPECT_EQ(answer["keys"][2]["key"], "\\xff");
  EXPECT_EQ(answer["keys"][2]["key_b64"], "/w==");
  EXPECT_TRUE(keys("/api/v1/keys/idle")["keys"].empty());
  EXPECT_EQ(get("/api/v1/keys/web").status, 404);
  EXPECT_EQ(get("/api/v1/keys/demo/a").status, 404);
}

TEST_F(KeysTest, OfVeryManyTheNewestAreListed) {
  shm::Quotas quotas;
  quotas.max_keys = 5'000;
  quotas.max_total_bytes = quotas.max_bytes_per_key = 8 << 20;
  start_writer();
  const auto many = open(shm::Kind::log, "many", quotas);
  for (int i = 1; i <= 1'500; ++i) put(many, "key" + std::to_string(i), std::string(900, 'x'));
  start_relay();
  const auto answer = keys("/api/v1/keys/many");
  EXPECT_EQ(answer["more"], 500);
  ASSERT_EQ(answer["keys"].size(), 1'000u);
  std::set<std::string> listed;
  for (const auto& entry : answer["keys"]) listed.insert(entry["key"]);
  EXPECT_TRUE(listed.contains("key1500") && listed.contains("key501"));
  EXPECT_FALSE(listed.contains("key500"));
}

}  // namespace
}  // namespace mayfly::relayd
