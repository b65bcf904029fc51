#include "hubd/page.h"

#include <nlohmann/json.hpp>

#include "common/static_assets.h"
#include "tests/hubd/hub_fixture.h"

namespace mayfly::hubd {
namespace {

class HubPageTest : public HubTest {
 protected:
  /// Tripcodes of no key in particular.
  static std::string server(const std::string& name, const std::string& more = "") {
    return "  - {name: " + name + ", tripcode: \"5lwiqHg0fezfeyMbf7H7mwv39XoiWbQFaRa/V71l32o=\"" + more +
           "}\n";
  }
  nlohmann::json servers(const std::string& query = "") {
    return nlohmann::json::parse(get("/api/v1/servers" + query).body)["servers"];
  }
};

TEST_F(HubPageTest, IsTheHubsOwn) {
  put("hub.yaml", "servers:\n" + server("web-1"));
  start_with_file();
  const Reply list = get("/frontend/servers/");
  EXPECT_EQ(list.status, 200);
  EXPECT_EQ(list.headers.at("content-type"), "text/html; charset=utf-8");
  EXPECT_EQ(list.headers.at("content-security-policy"), kPagePolicy);
  const std::string version(web_assets().version);
  EXPECT_NE(list.body.find("src=\"../../assets/" + version + "/servers.js\""), std::string::npos)
      << list.body;
  EXPECT_EQ(get("/frontend/servers").headers.at("location"), "/frontend/servers/");
  const Reply host = get("/frontend/servers/web-1/");
  EXPECT_EQ(host.status, 200);
  EXPECT_EQ(host.headers.at("content-security-policy"), kPagePolicy);
  EXPECT_NE(host.body.find("src=\"../../../assets/" + version + "/app.js\""), std::string::npos);
  EXPECT_EQ(get("/frontend/servers/web-1").headers.at("location"), "/frontend/servers/web-1/");
  EXPECT_EQ(get("/frontend/servers/none/").status, 404);
  EXPECT_EQ(get("/assets/" + version + "/servers.js").status, 200);
  EXPECT_EQ(get("/assets/other/servers.js").status, 404);
}

TEST_F(HubPageTest, ListsServersByTheirShownNames) {
  put("hub.yaml", "servers:\n" + server("b") + server("a", ", display_name: Zebra, paused: true"));
  start_with_file();
  const nlohmann::json both = servers();
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0]["name"], "a");
  EXPECT_EQ(both[0]["display_name"], "Zebra");
  EXPECT_EQ(both[0]["paused"], true);
  EXPECT_EQ(both[0]["connected"], false);
  EXPECT_TRUE(both[0]["last_seen"].is_null());
  EXPECT_EQ(both[1]["display_name"], "b");
  ASSERT_EQ(servers("?name=b").size(), 1u);
  EXPECT_EQ(servers("?name=none").size(), 0u);
}

TEST_F(HubPageTest, SaysNothingToThoseWithoutALogin) {
  // A hash that no password has.
  put("hub.yaml",
      "servers:\n" + server("web-1") +
          "users:\n  - {name: ada, password: \"$y$j9T$aaaaaaaaaaaaaaaaaaaaaa$"
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\", rights: [{server: \"*\", prefix: \"\"}]}\n");
  start_with_file();
  EXPECT_EQ(get("/api/v1/servers").status, 401);
  EXPECT_EQ(get("/frontend/servers/", "Accept: text/html\r\n").status, 303);
  EXPECT_EQ(get("/frontend/servers/web-1/").status, 401);
  EXPECT_EQ(get("/frontend/servers/none/").status, 401);
  EXPECT_EQ(get("/assets/" + std::string(web_assets().version) + "/base.css").status, 200);
}

TEST(ServerListTest, HoldsWhatTheReaderMayRead) {
  struct Captured : ResponseWriter {
    std::string text;
    void send(int, const HttpHeaders&, std::string_view body) override { text = body; }
    void begin(int, const HttpHeaders&) override {}
    void write(std::string_view) override {}
    void end() override {}
    void abort() override {}
    std::size_t queued() const override { return 0; }
    void on_drain(std::size_t, Callback) override {}
    void on_closed(Callback) override {}
    bool closed() const override { return false; }
    void set_open_ended() override {}
  };
  HubConfig config;
  for (const char* name : {"one", "two", "three"}) {
    Server server;
    server.name = name;
    config.servers.push_back(server);
  }
  HostState state;
  state.connected = true;
  state.last_seen_ns = 1'000'000'000;
  state.version = "0.1.0";
  Reader reader;
  reader.kind = Reader::Kind::person;
  reader.rights = {{"one", ""}, {"three", "app-"}};
  Captured captured;
  answer_servers(
      config, [&](const std::string&) { return state; }, HttpRequest{}, captured, reader);
  const auto list = nlohmann::json::parse(captured.text)["servers"];
  ASSERT_EQ(list.size(), 2u) << captured.text;
  EXPECT_EQ(list[0]["name"], "one");
  EXPECT_EQ(list[1]["name"], "three");
  EXPECT_EQ(list[0]["last_seen"], "1970-01-01T00:00:01.000000000Z");
  EXPECT_EQ(list[0]["version"], "0.1.0");
}

}  // namespace
}  // namespace mayfly::hubd
