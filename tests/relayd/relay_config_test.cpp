#include "relayd/relay_config.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace mayfly::relayd {
namespace {

namespace fs = std::filesystem;

class RelayConfigTest : public ::testing::Test {
 protected:
  RelayConfigTest() {
    char directory[] = "/tmp/mayfly-relay-config-XXXXXX";
    directory_ = mkdtemp(directory);
  }
  ~RelayConfigTest() override { fs::remove_all(directory_); }

  std::string file(const std::string& name, const std::string& text, bool open_to_all = false) {
    const std::string path = directory_ + "/" + name;
    std::ofstream(path) << text;
    fs::permissions(path, open_to_all ? fs::perms(0644) : fs::perms(0600));
    return path;
  }
  shm::Result<RelayConfig> load(const std::string& text, bool open_to_all = false) {
    RelayFlags flags;
    flags.config = file("host.yaml", text, open_to_all);
    return load_relay_config(flags);
  }

  std::string directory_;
};

TEST_F(RelayConfigTest, EverythingFollowsFromTheHub) {
  const auto config =
      load("name: web-1\napi_key: open-sesame\nhub_url: https://hub.example/base/\nhosts: [a.example]\n");
  ASSERT_TRUE(config.ok()) << config.error().text;
  EXPECT_EQ(config.value().quota_url, "https://hub.example/base/mayfly/v1/quotas/web-1");
  EXPECT_EQ(config.value().tunnel_url, "https://hub.example/base/7ZSFUKGV");
  EXPECT_EQ(config.value().api_key, "open-sesame");
  EXPECT_EQ(config.value().hosts, std::vector<std::string>{"a.example"});
  EXPECT_EQ(config.value().listen->port, 4719);
}

TEST_F(RelayConfigTest, AddressesMayBeSetApart) {
  const auto config = load(
      "name: web-1\nhub_url: https://hub.example\ntunnel_url: https://ptth.example/7ZSFUKGV\n"
      "quota_url: https://files.example/q.json\nlisten: none\nlisten_unix: /run/r.sock\nsocket_mode: 0600\n",
      true);
  ASSERT_TRUE(config.ok()) << config.error().text;
  EXPECT_EQ(config.value().quota_url, "https://files.example/q.json");
  EXPECT_EQ(config.value().tunnel_url, "https://ptth.example/7ZSFUKGV");
  EXPECT_FALSE(config.value().listen.has_value());
  EXPECT_EQ(config.value().listen_unix, "/run/r.sock");
  EXPECT_EQ(config.value().socket_mode, 0600u);
}

TEST_F(RelayConfigTest, WrongFilesAreRefusedWithTheirPlace) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"nmae: x\n", ":1:1: "},
      {"name: x\nname: y\n", ":2:1: "},
      {"name: ../x\n", "cannot be a host's name"},
      {"name: x\nhub_url: ftp://x\n", ":2:"},
      {"name: x\ntunnel_url: https://x/other\n", ":2:"},
      {"name: x\nlisten: 127.0.0.1:99999\n", ":2:"},
      {"name: x\nsocket_mode: rw\n", ":2:"},
      {"name: x\nsocket_group: no-such-group-here\n", ":2:"},
      {"name: x\napi_key: \"a b\"\n", ":2:"},
      {"name: x\napi_key: aBc7\nquota_url: http://hub.example/q\n", "https"},
      {"name: x\napi_key: aBc7\ntunnel_url: http://hub.example/7ZSFUKGV\n", "https"},
      {"name: x\napi_key: \"\"\n", ":2:"},
      {"name: x\napi_key: secretpassword\n", ":2:10: this key is one that everybody tries first"},
  };
  for (const auto& [text, expected] : cases) {
    const auto config = load(text);
    ASSERT_FALSE(config.ok()) << text;
    EXPECT_NE(config.error().text.find(expected), std::string::npos) << config.error().text;
  }
}

TEST_F(RelayConfigTest, KeysThatOthersCanReadAreRefused) {
  EXPECT_FALSE(load("name: x\napi_key: open-sesame\n", true).ok());
  EXPECT_TRUE(load("name: x\n", true).ok());
  RelayFlags flags;
  flags.name = "x";
  flags.api_key_file = file("key", "open-sesame\n", true);
  EXPECT_FALSE(load_relay_config(flags).ok());
  flags.api_key_file = file("key2", "open-sesame\n");
  ASSERT_TRUE(load_relay_config(flags).ok());
  EXPECT_EQ(load_relay_config(flags).value().api_key, "open-sesame");
  flags.api_key_file = file("key3", "\n");
  EXPECT_FALSE(load_relay_config(flags).ok());
  flags.api_key_file = file("key4", "secretpassword\n");
  EXPECT_EQ(load_relay_config(flags).error().code, shm::Errc::invalid);
}

TEST_F(RelayConfigTest, AKeyThatIsAbsentIsMade) {
  const std::string path = directory_ + "/new.key";
  const auto first = load("name: x\napi_key_file: " + path + "\n");
  ASSERT_TRUE(first.ok()) << first.error().text;
  EXPECT_EQ(first.value().api_key.size(), 64u);
  EXPECT_EQ(first.value().made_key_file, path);
  EXPECT_EQ(fs::status(path).permissions(), fs::perms(0600));
  const auto second = load("name: x\napi_key_file: " + path + "\n");
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second.value().api_key, first.value().api_key);
  EXPECT_TRUE(second.value().made_key_file.empty());
  EXPECT_FALSE(load("name: x\napi_key_file: " + directory_ + "/none/key\n").ok());
}

TEST_F(RelayConfigTest, FlagsComeFirst) {
  RelayFlags flags;
  flags.config = file("host.yaml", "name: web-1\nhub_url: https://hub.example\n");
  flags.name = "web-2";
  flags.hub_url = "http://127.0.0.1:4000";
  flags.relay = "[::1]:0";
  flags.relay_unix = "none";
  const auto config = load_relay_config(flags);
  ASSERT_TRUE(config.ok()) << config.error().text;
  EXPECT_EQ(config.value().quota_url, "http://127.0.0.1:4000/mayfly/v1/quotas/web-2");
  EXPECT_EQ(config.value().listen->host, "::1");
  EXPECT_EQ(config.value().listen->port, 0);
  EXPECT_EQ(config.value().listen_unix, "");
}

}  // namespace
}  // namespace mayfly::relayd
