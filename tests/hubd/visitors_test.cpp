// What protects people's browsers: cookies, origins, paths to go back to, HTML; and the audit log's bounds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hubd/audit_log.h"
#include "hubd/cookies.h"
#include "hubd/html.h"
#include "hubd/identity.h"

namespace mayfly::hubd {
namespace {

using testing::HasSubstr;

HttpRequest with(HttpHeaders headers, bool secure = false) {
  HttpRequest request;
  request.headers = std::move(headers);
  request.secure = secure;
  request.peer = "192.0.2.7:5000";
  return request;
}

TEST(Cookies, AreKeptStrictlyOverHttps) {
  const HttpRequest plain = with({}), tls = with({}, true), proxied = with({{"x-forwarded-proto", "https"}});
  EXPECT_EQ(set_cookie(plain, "n", "v", "Lax"), "n=v; Path=/; HttpOnly; SameSite=Lax");
  EXPECT_EQ(set_cookie(tls, "n", "v", "Strict"), "__Host-n=v; Path=/; HttpOnly; SameSite=Strict; Secure");
  EXPECT_EQ(set_cookie(proxied, "n", "v", "Lax"), "__Host-n=v; Path=/; HttpOnly; SameSite=Lax; Secure");
  EXPECT_THAT(remove_cookie(tls, "n"), HasSubstr("Max-Age=0"));
}

TEST(Cookies, AreReadUnderTheNameThatTheWayHereAsksFor) {
  const std::string all = "a=1; n=plain;__Host-n=strict; n=second; empty=";
  EXPECT_EQ(read_cookie(with({{"cookie", all}}), "n"), "plain");
  EXPECT_EQ(read_cookie(with({{"cookie", all}}, true), "n"), "strict");
  EXPECT_FALSE(read_cookie(with({{"cookie", "n=plain"}}, true), "n"));
  EXPECT_FALSE(read_cookie(with({{"cookie", all}}), "empty"));
  EXPECT_FALSE(read_cookie(with({{"cookie", "nn=1; xn=2; ;=;n"}}), "n"));
  EXPECT_FALSE(read_cookie(with({}), "n"));
}

TEST(Redirects, LeadToPathsOfTheHubOnly) {
  EXPECT_EQ(own_path("/frontend/audit_log?x=1", "/home"), "/frontend/audit_log?x=1");
  for (const std::string path :
       {"", "https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)",
        "/a\r\nSet-Cookie: x", "/a b", "frontend", "/\t/evil.example", "/\xC3\xA4"}) {
    EXPECT_EQ(own_path(path, "/home"), "/home") << path;
  }
  EXPECT_EQ(own_path("/" + std::string(5000, 'a'), "/home"), "/home");
}

TEST(Origins, OfOthersAreNoticed) {
  EXPECT_FALSE(from_another_site(with({})));
  EXPECT_FALSE(from_another_site(with({{"sec-fetch-site", "same-origin"}})));
  EXPECT_FALSE(from_another_site(with({{"sec-fetch-site", "none"}})));
  EXPECT_TRUE(from_another_site(with({{"sec-fetch-site", "same-site"}})));
  EXPECT_TRUE(from_another_site(with({{"sec-fetch-site", "cross-site"}})));
  const auto foreign = [](const std::string& origin) {
    return from_another_origin(with({{"host", "relay.example.org:4000"}, {"origin", origin}}),
                               {"other.example.org"});
  };
  EXPECT_FALSE(from_another_origin(with({{"host", "a"}}), {}));
  EXPECT_FALSE(foreign("https://relay.example.org:4000"));
  EXPECT_FALSE(foreign("https://Other.Example.org"));
  EXPECT_TRUE(foreign("https://relay.example.org:4001"));
  EXPECT_TRUE(foreign("https://evil.example"));
  EXPECT_TRUE(foreign("null"));
  EXPECT_TRUE(foreign(""));
}

TEST(Addresses, ComeFromTheProxyOnlyWhereThereIsOne) {
  const HttpRequest request = with({{"x-forwarded-for", "198.51.100.9, 203.0.113.5"}});
  EXPECT_EQ(client_address(request, false), "192.0.2.7");
  EXPECT_EQ(client_address(request, true), "203.0.113.5");
  EXPECT_EQ(client_address(with({{"x-forwarded-for", "nonsense"}}), true), "192.0.2.7");
  EXPECT_EQ(client_address(with({{"x-forwarded-for", "2001:db8:1:2:3::4"}}), true), "2001:db8:1:2::");
  EXPECT_EQ(client_address(with({{"x-forwarded-for", "1.1.1.1"}, {"x-forwarded-for", "2.2.2.2"}}), true),
            "2.2.2.2");
}

TEST(Html, EscapesAllThatIsData) {
  Html html;
  html.markup("<b title=\"")
      .text("\"><script>&'")
      .markup("\">")
      .text(std::string("a\0\x1b\xff", 4))
      .markup("</b>");
  EXPECT_EQ(html.str(), "<b title=\"&quot;&gt;&lt;script&gt;&amp;&#39;\">a\\x00\\x1b\\xff</b>");
}

AuditEntry entry(std::uint64_t at_ns, const std::string& path) {
  AuditEntry made;
  made.reader = "ada";
  made.path = path;
  made.first_ns = at_ns;
  return made;
}

TEST(Audit, JoinsTheSameWithinAMinute) {
  AuditLog log;
  log.add(entry(0, "/a"));
  log.add(entry(1, "/b"));
  log.add(entry(AuditLog::kOneEntryNs - 1, "/a"));
  ASSERT_EQ(log.newest_first().size(), 2u);
  EXPECT_EQ(log.newest_first()[0].path, "/a");
  EXPECT_EQ(log.newest_first()[0].times, 2u);
  EXPECT_EQ(log.newest_first()[0].last_ns, AuditLog::kOneEntryNs - 1);
  log.add(entry(AuditLog::kOneEntryNs, "/a"));
  EXPECT_EQ(log.newest_first().size(), 3u);
}

TEST(Audit, IsBoundedAndTriesPushNoReadsOut) {
  AuditLog log;
  log.add(entry(1, "/kept"));
  for (std::size_t i = 0; i < AuditLog::kMaxArrivals + 10; ++i) {
    AuditEntry tried = entry(2 + i, std::string(100000, 'x') + std::to_string(i));
    tried.event = AuditEntry::Event::login_failed;
    tried.reader = std::to_string(i);
    log.add(std::move(tried));
  }
  EXPECT_EQ(log.newest_first().size(), AuditLog::kMaxArrivals + 1);
  EXPECT_EQ(log.newest_first().back().path, "/kept");
  EXPECT_LE(log.newest_first().front().path.size(), AuditLog::kMaxTextBytes + 3);
  for (std::size_t i = 0; i < AuditLog::kMaxReads; ++i) log.add(entry(10000 + i, std::to_string(i)));
  EXPECT_NE(log.newest_first().back().path, "/kept");
  EXPECT_EQ(log.newest_first().size(), AuditLog::kMaxArrivals + AuditLog::kMaxReads);
}

}  // namespace
}  // namespace mayfly::hubd
