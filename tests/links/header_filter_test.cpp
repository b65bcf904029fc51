#include "hubd/header_filter.h"

#include <gmock/gmock.h>

#include "hubd/location_filter.h"
#include "hubd/tunnel_id.h"

namespace mayfly::hubd {
namespace {

TEST(LocationFilter, RelativeOnesStayThatDoNotClimbOut) {
  const auto stays = [](const char* location, const char* path = "/files/a/b") {
    return location_stays(location, path, "/frontend/servers/web-1");
  };
  for (const char* location : {"sub/", "./x", "../x", "../../x", "?q=1", "#f", "a/../b", ".", "..",
                               "x?u=http://e/", "x/y:z", "..;/x", "%2e%2e%2fx"}) {
    EXPECT_TRUE(stays(location)) << location;
  }
  for (const char* location : {"",
                               "../../../x",
                               "a/../../../../x",
                               "../../..",
                               "%2e%2e/%2E%2e/../x",
                               ".%2e/..//../../x",
                               "//evil.example/",
                               "///e",
                               "http://evil.example/",
                               "https:x",
                               "javascript:alert(1)",
                               "JavaScript:x",
                               "data:text/html,x",
                               "\\\\evil\\x",
                               "/\\evil",
                               "x\\..\\..",
                               "java\tscript:x",
                               " x",
                               "x y",
                               "x\r\ny",
                               "\x01x",
                               "caf\xc3\xa9",
                               "mailto:a@b"}) {
    EXPECT_FALSE(stays(location)) << location;
  }
  EXPECT_FALSE(stays("../x", "/a"));
  EXPECT_FALSE(stays("..", "/"));
  EXPECT_TRUE(stays("x", "/"));
  EXPECT_FALSE(stays("../../x", "/a/%2e%2e/b")) << "the path itself may climb";
  EXPECT_FALSE(stays(std::string(9000, 'x').c_str()));
}

TEST(LocationFilter, AbsolutePathsStayWithinThePrefix) {
  const auto stays = [](const char* location) {
    return location_stays(location, "/a", "/frontend/servers/web-1");
  };
  EXPECT_TRUE(stays("/frontend/servers/web-1/"));
  EXPECT_TRUE(stays("/frontend/servers/web-1/x?y=../../z"));
  EXPECT_TRUE(stays("/frontend/servers/web-1/a/../b"));
  EXPECT_FALSE(stays("/frontend/servers/web-1"));
  EXPECT_FALSE(stays("/frontend/servers/web-10/x"));
  EXPECT_FALSE(stays("/frontend/servers/web-1/../web-2/"));
  EXPECT_FALSE(stays("/frontend/servers/web-1/%2e%2e/web-2/"));
  EXPECT_FALSE(stays("/login"));
  EXPECT_FALSE(stays("/"));
  EXPECT_FALSE(location_stays("/x", "/a", ""));
}

TEST(HeaderFilter, TheFirstOfSeveralCounts) {
  const HttpHeaders out = headers_for_reader(
      {{"Content-Type", "text/plain"}, {"content-type", "text/html"}, {"cache-control", "no-cache"}}, "/",
      "");
  EXPECT_EQ(out[0].second, "text/plain");
  EXPECT_EQ(out[1].second, "no-cache");
  EXPECT_EQ(out.size(), 4u);
}

TEST(HeaderFilter, OnlyNoBufferingIsPassedOnToProxies) {
  EXPECT_EQ(headers_for_reader({{"x-accel-buffering", "no"}}, "/", "")[0].first, "x-accel-buffering");
  EXPECT_NE(headers_for_reader({{"x-accel-buffering", "yes"}}, "/", "")[0].first, "x-accel-buffering");
}

TEST(HeaderFilter, SecretsUnderOtherNames) {
  HttpHeaders secrets;
  for (const char* name :
       {"x-auth-request-access-token", "x-forwarded-access-token", "cf-access-jwt-assertion",
        "x-amzn-oidc-data", "x-api-key", "x-csrf-token", "x-forwarded-for", "forwarded", "x-real-ip",
        "x-remote-user", "remote-user", "proxy-connection", "content-length", "content-type", "expect",
        "keep-alive", "mayfly-status", "x-ptth-2ljyxwc4", "sec-fetch-site"}) {
    secrets.emplace_back(name, "1");
  }
  EXPECT_TRUE(headers_for_host(secrets).empty());
}

TEST(HeaderFilter, ConnectionCannotTakeHostAway) {
  EXPECT_EQ(headers_for_host({{"host", "a"}, {"connection", "host, X-B"}, {"x-b", "1"}}),
            (HttpHeaders{{"host", "a"}}));
}

TEST(HeaderFilter, TargetsAreWhatStrictServersTake) {
  EXPECT_EQ(target_for_host("/a%2Fb/;x=1/{}|\\", "q=<a>"), "/a%2Fb/;x=1/{}|\\?q=%3Ca%3E");
  EXPECT_EQ(target_for_host("/caf\xc3\xa9`^", ""), "/caf%C3%A9%60%5E");
}

TEST(TunnelId, IsAUlid) {
  EXPECT_EQ(make_tunnel_id(0).substr(0, 10), "0000000000");
  EXPECT_EQ(make_tunnel_id((std::uint64_t{1} << 48) - 1).substr(0, 10), "7ZZZZZZZZZ");
  EXPECT_EQ(make_tunnel_id(1469918176385).substr(0, 10), "01ARYZ6S41");
  EXPECT_NE(make_tunnel_id(0), make_tunnel_id(0));
}

}  // namespace
}  // namespace mayfly::hubd
