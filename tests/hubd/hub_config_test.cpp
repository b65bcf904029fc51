#include "hubd/hub_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/quota_document.h"
#include "common/tripcode.h"

namespace mayfly::hubd {
namespace {

using shm::Quotas;
using shm::Result;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kTripcode = tripcode("a key nobody guesses");

Result<HubConfig> parse(const std::string& text) { return parse_hub_config(text, "f", {}); }

std::string error_of(const std::string& text) {
  const Result<HubConfig> config = parse(text);
  return config.ok() ? "" : config.error().text;
}

std::string directory(const std::string& fields) { return "directories:\n  - {" + fields + "}\n"; }

TEST(HubConfig, ReadsTheWholeFile) {
  const Result<HubConfig> config = parse(
      "listen: 127.0.0.1:4000\nhosts: [relay.example.org]\nservers:\n  - name: web-1\n    tripcode: \"" +
      kTripcode +
      "\"\n    display_name: \"Web 1\"\n    paused: true\n"
      "users:\n  - {name: ada, password: \"$y$j9T$abcdef$0123456789\", rights: [{server: \"*\", prefix: "
      "\"\"}]}\n"
      "scraper_keys:\n  - {name: prometheus, hash: \"" +
      kTripcode +
      "\", not_before: 2026-11-01T00:00:00Z, not_after: 2026-11-30T00:00:00Z, rights: [{server: web-1, "
      "prefix: "
      "\"app-\"}]}\n"
      "tls: {certificate: /c.pem, key: /k.pem}\nbehind_proxy: false\n"
      "directories:\n  - {kind: log, name: demo, max_bytes_per_key: 64KiB}\n"
      "  - {kind: status, name: web, max_keys: 18446744073709551615, stale_after: 5m}\n"
      "  - {kind: log, pattern: \"app-*\", max_directories: 16, max_total_bytes: 64MiB, max_age: 15m, "
      "reserve: 1MiB}\n");
  ASSERT_TRUE(config.ok()) << config.error().text;
  const HubConfig& c = config.value();
  EXPECT_EQ(c.listen.text(), "127.0.0.1:4000");
  EXPECT_THAT(c.hosts, ElementsAre("relay.example.org"));
  ASSERT_EQ(c.servers.size(), 1u);
  EXPECT_EQ(c.servers[0].display_name, "Web 1");
  EXPECT_TRUE(c.servers[0].paused);
  EXPECT_EQ(c.users.at(0).rights.at(0).server, "*");
  EXPECT_EQ(c.scraper_keys.at(0).rights.at(0).prefix, "app-");
  EXPECT_EQ(c.scraper_keys.at(0).not_after_ns - c.scraper_keys.at(0).not_before_ns,
            29ull * 86400 * 1000000000);
  EXPECT_EQ(c.tls->key, "/k.pem");
  const shm::Rules rules = c.rules_for(c.servers[0]);
  ASSERT_EQ(rules.rules.size(), 3u);
  EXPECT_TRUE(rules.paused);
  EXPECT_EQ(rules.rules[0].quotas.max_bytes_per_key, 65536u);
  EXPECT_EQ(rules.rules[1].quotas.max_keys, UINT64_MAX);
  EXPECT_EQ(rules.rules[1].quotas.stale_after_seconds, 300u);
  EXPECT_TRUE(rules.rules[2].pattern);
  EXPECT_EQ(rules.rules[2].max_directories, 16u);
  EXPECT_EQ(rules.rules[2].quotas.max_bytes_per_key, 64u << 20);
  EXPECT_EQ(rules.rules[2].quotas.max_age_seconds, 900u);
  EXPECT_EQ(rules.rules[2].quotas.reserve_bytes, 1u << 20);
}

TEST(HubConfig, WhatIsLeftOutHasItsDefault) {
  const Result<HubConfig> config = parse(directory("kind: log, name: a"));
  ASSERT_TRUE(config.ok()) << config.error().text;
  EXPECT_EQ(config.value().listen.text(), "127.0.0.1:4000");
  EXPECT_EQ(config.value().directories.at(0).rule.quotas, Quotas{});
  EXPECT_FALSE(config.value().behind_proxy);
}

TEST(HubConfig, BorderNumbersReachTheDocument) {
  for (const std::uint64_t n : {0ull, 1ull, (1ull << 31) - 1, (1ull << 31) + 1, (1ull << 32) - 1,
                                (1ull << 32) + 1, 1ull << 63, ~0ull}) {
    const std::string t = std::to_string(n);
    const Result<HubConfig> config = parse(directory(
        "kind: log, pattern: a, max_keys: " + t + ", max_key_bytes: " + t + ", max_value_bytes: " + t +
        ", max_total_bytes: " + t + ", max_bytes_per_key: " + t + ", max_events_per_key: " + t +
        ", max_age: " + t + "s, reserve: " + t + ", max_directories: " + t + ", when_keys_full: drop"));
    ASSERT_TRUE(config.ok()) << config.error().text;
    const shm::Rules rules = config.value().rules_for({"any", {}, "any", false});
    const Quotas expected{n, n, n, n, n, n, n, n, 0, true};
    EXPECT_EQ(rules.rules.at(0).quotas, expected);
    EXPECT_EQ(rules.rules.at(0).max_directories, n);
    EXPECT_EQ(parse_quota_document(emit_quota_document(rules)).value(), rules);
  }
}

TEST(HubConfig, EntriesCanBeNarrowedToServers) {
  const std::string servers = "servers:\n  - {name: a, tripcode: \"" + kTripcode +
                              "\"}\n  - {name: b, tripcode: \"" + kTripcode + "\"}\n";
  const Result<HubConfig> config = parse(servers +
                                         "directories:\n  - {kind: log, name: x, servers: [a], max_keys: 1}\n"
                                         "  - {kind: log, name: x, servers: [b], max_keys: 2}\n"
                                         "  - {kind: log, name: y}\n");
  ASSERT_TRUE(config.ok()) << config.error().text;
  const HubConfig& c = config.value();
  EXPECT_EQ(c.rules_for(c.servers[0]).rules.at(0).quotas.max_keys, 1u);
  EXPECT_EQ(c.rules_for(c.servers[1]).rules.at(0).quotas.max_keys, 2u);
  EXPECT_EQ(c.rules_for(c.servers[0]).rules.size(), 2u);
  EXPECT_NE(c.rules_for(c.servers[0]).version, c.rules_for(c.servers[1]).version);
  EXPECT_THAT(error_of(servers +
                       "directories:\n  - {kind: log, name: x, servers: [a, b]}\n  - {kind: log, name: x}\n"),
              StartsWith("f:6:23: duplicate name `x`"));
}

TEST(HubConfig, SameNamesOfDifferentKinds) {
  EXPECT_EQ(error_of("directories:\n  - {kind: log, name: x}\n  - {kind: status, name: x}\n"
                     "  - {kind: log, pattern: \"*\"}\n  - {kind: status, pattern: \"*\"}\n"),
            "");
}

TEST(HubConfig, DefaultLetsAnyNameWork) {
  const Server own{"me", blake3("k"), "me", false};
  const HubConfig config = default_hub_config({own});
  ASSERT_EQ(config.directories.size(), 2u);
  for (const DirectoryEntry& entry : config.directories) {
    EXPECT_TRUE(entry.rule.pattern);
    EXPECT_EQ(entry.rule.name, "*");
    EXPECT_EQ(entry.rule.max_directories, 64u);
    EXPECT_EQ(entry.rule.quotas, Quotas{});
  }
  EXPECT_NE(config.directories[0].rule.kind, config.directories[1].rule.kind);
}

TEST(HubConfig, ServersOfTheCommandLineAreAddedUnlessNamed) {
  const Server own{"a", blake3("other"), "a", false};
  const Server more{"c", blake3("c"), "c", false};
  const std::string text = "servers: [{name: a, tripcode: \"" + kTripcode + "\"}]\n" +
                           directory("kind: log, name: x, servers: [c]");
  const Result<HubConfig> config = parse_hub_config(text, "f", {own, more});
  ASSERT_TRUE(config.ok()) << config.error().text;
  ASSERT_EQ(config.value().servers.size(), 2u);
  EXPECT_EQ(config.value().servers[0].key_hash, *parse_tripcode(kTripcode));
  EXPECT_EQ(config.value().servers[1].name, "c");
}

TEST(HubConfig, ServerFlags) {
  EXPECT_EQ(parse_server_flag("web-1=" + kTripcode).value().name, "web-1");
  EXPECT_FALSE(parse_server_flag("web-1").ok());
  EXPECT_FALSE(parse_server_flag("web/1=" + kTripcode).ok());
  EXPECT_FALSE(parse_server_flag("web-1=short").ok());
  EXPECT_FALSE(parse_server_flag("web-1=" + tripcode("changeme")).ok());
}

TEST(HubConfig, ListenAddresses) {
  EXPECT_TRUE(parse_listen_address("127.9.9.9:0").value().is_loopback());
  EXPECT_TRUE(parse_listen_address("[::1]:4000").value().is_loopback());
  EXPECT_TRUE(parse_listen_address("localhost:65535").value().is_loopback());
  EXPECT_FALSE(parse_listen_address("0.0.0.0:1").value().is_loopback());
  EXPECT_FALSE(parse_listen_address("[::]:1").value().is_loopback());
  EXPECT_EQ(parse_listen_address("[::1]:4000").value().text(), "[::1]:4000");
  for (const char* text :
       {"", "4000", ":4000", "::1:4000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
        "127.0.0.1:04000", "example.org:4000", "[127.0.0.1]:1", "127.1:1"}) {
    EXPECT_FALSE(parse_listen_address(text).ok()) << text;
  }
}

TEST(HubConfig, RightsToUnknownServersAreOnlyWarnedOf) {
  const Result<HubConfig> config = parse(
      "users: [{name: ada, password: \"$y$j9T$abcdef$0123456789\", rights: [{server: gone, prefix: "
      "\"\"}]}]\n");
  ASSERT_TRUE(config.ok()) << config.error().text;
  ASSERT_EQ(config.value().warnings.size(), 1u);
  EXPECT_THAT(config.value().warnings[0], StartsWith("f:1:"));
}

TEST(Servable, BeyondLoopbackOnlyWithUsersAndTlsOrBehindAProxy) {
  HubConfig config;
  const ListenAddress local, open{"0.0.0.0", 4000};
  EXPECT_TRUE(check_servable(config, local).ok());
  EXPECT_THAT(check_servable(config, open).error().text, HasSubstr("behind_proxy: true"));
  const HubConfig from_file = parse("listen: 0.0.0.0:4000\n").value();
  EXPECT_THAT(check_servable(from_file, from_file.listen).error().text,
              StartsWith("f:1:9: listening on 0.0.0.0:4000"));
  config.tls = TlsFiles{"f:1:6: ", "c", "k"};
  EXPECT_THAT(check_servable(config, open).error().text, HasSubstr("needs `users`"));
  EXPECT_TRUE(check_servable(config, local).ok());
  config.users.push_back({"ada", "$y$", {}});
  EXPECT_TRUE(check_servable(config, open).ok());
  config.tls.reset();
  EXPECT_TRUE(check_servable(config, local).ok());
  EXPECT_THAT(check_servable(config, open).error().text, HasSubstr("in the clear"));
  config.behind_proxy = true;
  EXPECT_TRUE(check_servable(config, open).ok());
}

struct Refusal {
  std::string text;
  std::string beginning;
};

class HubRefusal : public testing::TestWithParam<Refusal> {};

TEST_P(HubRefusal, NamesThePlaceAndTheReason) {
  EXPECT_THAT(error_of(GetParam().text), StartsWith(GetParam().beginning));
}

std::string quota(const std::string& value) { return directory("kind: log, name: a, max_keys: " + value); }

// quota() has its value in column 36 of line 2.
INSTANTIATE_TEST_SUITE_P(
    Quotas, HubRefusal,
    testing::Values(
        Refusal{quota("-1"), "f:2:36: `max_keys`: `-1` is negative"},
        Refusal{quota("~"), "f:2:36: `max_keys` has no value"},
        Refusal{quota("null"), "f:2:36: `max_keys` has no value"},
        Refusal{quota("010"), "f:2:36: `max_keys`: `010` has a leading"},
        Refusal{quota("0x10"), "f:2:36: `max_keys`: `0x10`"},
        Refusal{quota("1.5"), "f:2:36: `max_keys`: `1.5`"},
        Refusal{quota("1e9"), "f:2:36: `max_keys`: `1e9`"},
        Refusal{quota("many"), "f:2:36: `max_keys`: `many`"},
        Refusal{quota("unlimited"), "f:2:36: `max_keys`: `unlimited`"},
        Refusal{quota("\"5\""), "f:2:36: `max_keys`: text in quotes"},
        Refusal{quota("18446744073709551616"),
                "f:2:36: `max_keys`: `18446744073709551616` is beyond 64 bits"},
        Refusal{quota("1KiB"), "f:2:36: `max_keys`: `1KiB` is not a whole number"},
        Refusal{quota("1, max_keys: 1"), "f:2:39: duplicate key `max_keys`, first at f:2:26"},
        Refusal{quota("1, max_kyes: 1"), "f:2:39: unknown key `max_kyes`"},
        Refusal{directory("kind: log, name: a, max_age: 1w"), "f:2:35: `max_age`: `1w` is not an age"},
        Refusal{directory("kind: status, name: a, max_events_per_key: 5"),
                "f:2:49: `max_events_per_key` is for logs"},
        Refusal{directory("kind: log, name: a, stale_after: 5m"), "f:2:39: `stale_after` is for statuses"},
        Refusal{directory("kind: log, name: a, when_keys_full: wait"),
                "f:2:42: `when_keys_full` is one of: evict, drop"}));

INSTANTIATE_TEST_SUITE_P(
    Directories, HubRefusal,
    testing::Values(Refusal{directory("name: a"), "f:2:5: `kind` is missing"},
                    Refusal{directory("kind: queue, name: a"), "f:2:12: `kind` is one of: log, status"},
                    Refusal{directory("kind: log"), "f:2:5: either `name` or `pattern`"},
                    Refusal{directory("kind: log, name: a, pattern: b"), "f:2:5: either `name` or `pattern`"},
                    Refusal{directory("kind: log, name: \"a b\""), "f:2:23: `name` must be 1 to 128"},
                    Refusal{directory("kind: log, name: .a"), "f:2:23: `name` must be"},
                    Refusal{directory("kind: log, name: \"\""), "f:2:23: `name` must be"},
                    Refusal{directory("kind: log, name: " + std::string(129, 'a')), "f:2:23: `name` must be"},
                    Refusal{directory("kind: log, name: \"a*\""), "f:2:23: `name` must be"},
                    Refusal{directory("kind: log, pattern: \"a?\""), "f:2:26: `pattern` must be"},
                    Refusal{directory("kind: log, name: a, max_directories: 5"),
                            "f:2:43: `max_directories` is for patterns"},
                    Refusal{directory("kind: log, name: a, servers: [x]"), "f:2:36: no server is named `x`"},
                    Refusal{directory("kind: log, name: a, servers: []"), "f:2:35: `servers` names nobody"},
                    Refusal{"directories:\n  - {kind: log, name: a}\n  - {kind: log, name: a}\n",
                            "f:3:23: duplicate name `a`, first at f:2:5"},
                    Refusal{
                        "directories:\n  - {kind: log, pattern: \"*\"}\n  - {kind: log, pattern: \"*\"}\n",
                        "f:3:26: duplicate name `*`"},
                    Refusal{"directories:\n  -\n", "f:3:1: a map of settings"},
                    Refusal{"directories: {}\n", "f:1:14: `directories` takes a list"},
                    Refusal{"directories:\n", "f:1:1: `directories` has no value"},
                    Refusal{"", "f:1:1: the file is empty"}));

std::string server(const std::string& fields) { return "servers: [{" + fields + "}]\n"; }
std::string user(const std::string& fields) { return "users: [{" + fields + "}]\n"; }
std::string scraper(const std::string& from, const std::string& to) {
  return "scraper_keys:\n- name: p\n  hash: \"" + kTripcode + "\"\n  not_before: " + from +
         "\n  not_after: " + to + "\n";
}

INSTANTIATE_TEST_SUITE_P(
    Rest, HubRefusal,
    testing::Values(
        Refusal{"lisen: x\n", "f:1:1: unknown key `lisen`"},
        Refusal{"listen: 4000\n", "f:1:9: `listen`: `4000` is not ADDRESS:PORT"},
        Refusal{"hosts: [\"a b\"]\n", "f:1:9: not a host name"},
        Refusal{"hosts: [\"a:80\"]\n", "f:1:9: not a host name"},
        Refusal{"behind_proxy: 1\n", "f:1:15: `behind_proxy` is either true or false"},
        Refusal{server("tripcode: x"), "f:1:11: `name` is missing"},
        Refusal{server("name: a"), "f:1:11: `tripcode` is missing"},
        Refusal{server("name: a, tripcode: short"), "f:1:31: `tripcode` is not a tripcode"},
        Refusal{server("name: a, tripcode: \"" + tripcode("secretpassword") + "\""),
                "f:1:31: `tripcode` is that of a well-known"},
        Refusal{server("name: a, tripcode: \"" + tripcode("") + "\""),
                "f:1:31: `tripcode` is that of a well-known"},
        Refusal{server("name: a b, tripcode: \"" + kTripcode + "\""), "f:1:18: `name` must be"},
        Refusal{server("name: a, tripcode: \"" + kTripcode + "\", paused: maybe"),
                "f:1:87: `paused` is either"},
        Refusal{"servers:\n- {name: a, tripcode: \"" + kTripcode + "\"}\n- {name: a, tripcode: \"" +
                    kTripcode + "\"}\n",
                "f:3:10: duplicate name `a`"},
        Refusal{user("name: ada"), "f:1:9: `password` is missing"},
        Refusal{user("name: ada, password: secret"), "f:1:31: `password` is not a hash by libcrypt"},
        Refusal{user("name: ada, password: \"$y$j9T$ab$0123456789\", rights: [{server: \"*\"}]"),
                "f:1:64: `prefix` is missing"},
        Refusal{
            user("name: ada, password: \"$y$j9T$ab$0123456789\", rights: [{server: \"a b\", prefix: \"\"}]"),
            "f:1:73: `server` is a server's name or"},
        Refusal{
            user("name: ada, password: \"$y$j9T$ab$0123456789\", rights: [{server: \"*\", prefix: \"a/\"}]"),
            "f:1:86: `prefix` is no beginning"},
        Refusal{scraper("2026-11-01T00:00:00Z", "2026-12-02T00:00:00Z"),
                "f:5:14: a scraper's key is valid for at most 30 days"},
        Refusal{scraper("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"), "f:5:14: `not_after` is not after"},
        Refusal{scraper("2026-11-01", "2026-11-01T00:00:00Z"), "f:4:15: `not_before` is not a time"},
        Refusal{"tls: {certificate: c}\n", "f:1:6: `key` is missing"},
        Refusal{"tls: true\n", "f:1:6: `tls` takes a map"}));

}  // namespace
}  // namespace mayfly::hubd
