// Changes of the file and of its drop-ins while the hub runs.
#include <gmock/gmock.h>

#include <filesystem>

#include "common/tripcode.h"
#include "hub_fixture.h"

namespace mayfly::hubd {
namespace {

using testing::HasSubstr;

const std::string kReloadKey = "a key nobody guesses";

class Reload : public HubTest {
 protected:
  static std::string file(const std::string& directories) {
    return "listen: 127.0.0.1:0\nservers: [{name: a, tripcode: \"" + tripcode(kReloadKey) +
           "\"}]\ndirectories: [" + directories + "]\n";
  }
  void start_with(const std::string& directories) {
    put("hub.yaml", file(directories));
    start_with_file();
  }
  std::string document() const { return get("/mayfly/v1/quotas/a", "X-ApiKey: " + kReloadKey + "\r\n").body; }
  bool shows(const std::string& text) const {
    return eventually([&] { return document().find(text) != std::string::npos; });
  }
  bool refused(int times) const {
    return eventually([&] { return metric("mayfly_hub_reloads_total{result=\"refused\"}") >= times; });
  }
};

TEST_F(Reload, AFileWrittenInPlaceCounts) {
  start_with("{kind: log, name: one}");
  put("hub.yaml", file("{kind: log, name: two}"));
  EXPECT_TRUE(shows("\"two\""));
}

TEST_F(Reload, AReplacedFileCountsAgainAndAgain) {
  start_with("{kind: log, name: one}");
  for (int i = 0; i < 10; ++i) {
    const std::string name = "n" + std::to_string(i);
    replace("hub.yaml", file("{kind: log, name: " + name + "}"));
    ASSERT_TRUE(shows("\"" + name + "\"")) << name;
  }
}

TEST_F(Reload, AWrongFileIsRefusedAsAWholeAndTheOldOneStays) {
  start_with("{kind: log, name: one}");
  replace("hub.yaml", file("{kind: log, name: two}, {kind: log, name: three, max_keys: -1}"));
  ASSERT_TRUE(refused(1));
  EXPECT_THAT(document(), HasSubstr("\"one\""));
  EXPECT_THAT(document(), Not(HasSubstr("\"two\"")));
  EXPECT_EQ(metric("mayfly_hub_configuration_ok"), 0);
  EXPECT_THAT(get("/readyz").body, HasSubstr("refused"));
  EXPECT_EQ(get("/readyz").status, 200);
  replace("hub.yaml", file("{kind: log, name: two}"));
  EXPECT_TRUE(shows("\"two\""));
  EXPECT_EQ(metric("mayfly_hub_configuration_ok"), 1);
  EXPECT_EQ(get("/readyz").body, "ready\n");
}

TEST_F(Reload, AnEmptiedOrRemovedFileRemovesNothing) {
  start_with("{kind: log, name: one}");
  put("hub.yaml", "");
  ASSERT_TRUE(refused(1));
  EXPECT_THAT(document(), HasSubstr("\"one\""));
  std::filesystem::remove(path("hub.yaml"));
  ASSERT_TRUE(refused(2));
  EXPECT_THAT(document(), HasSubstr("\"one\""));
  put("hub.yaml", file("{kind: log, name: two}"));
  EXPECT_TRUE(shows("\"two\""));
}

TEST_F(Reload, DropInsComeAndGo) {
  start_with("{kind: log, name: one}");
  // The directory first, by itself: what is put into it later must be noticed as well.
  std::filesystem::create_directory(path("hub.yaml.d"));
  ASSERT_TRUE(eventually([&] { return metric("mayfly_hub_reloads_total{result=\"ok\"}") >= 1; }));
  put("hub.yaml.d/10.yaml", "directories: [{kind: status, name: two}]\n");
  ASSERT_TRUE(shows("\"two\""));
  EXPECT_THAT(document(), HasSubstr("\"one\""));
  put("hub.yaml.d/20.yaml", "directories: [{kind: status, name: two}]\n");
  ASSERT_TRUE(refused(1));
  std::filesystem::remove(path("hub.yaml.d/20.yaml"));
  std::filesystem::remove(path("hub.yaml.d/10.yaml"));
  EXPECT_TRUE(eventually([&] { return document().find("\"two\"") == std::string::npos; }));
}

TEST_F(Reload, AFileBehindASymbolicLinkIsWatchedWhereItIs) {
  put("real/hub.yaml", file("{kind: log, name: one}"));
  std::filesystem::create_symlink(path("real/hub.yaml"), path("hub.yaml"));
  start_with_file();
  replace("real/hub.yaml", file("{kind: log, name: two}"));
  EXPECT_TRUE(shows("\"two\""));
}

TEST_F(Reload, AskedForItReadsTheFileAgain) {
  start_with("{kind: log, name: one}");
  reload();
  EXPECT_TRUE(eventually([&] { return metric("mayfly_hub_reloads_total{result=\"ok\"}") == 1; }));
  EXPECT_THAT(document(), HasSubstr("\"one\""));
}

TEST_F(Reload, WhatIsNotServedIsRefusedThenToo) {
  start_with("{kind: log, name: one}");
  replace("hub.yaml", file("{kind: log, name: two}") + "tls: {certificate: c, key: k}\n");
  ASSERT_TRUE(refused(1));
  replace("hub.yaml", "listen: 0.0.0.0:0\n");
  ASSERT_TRUE(refused(2));
  EXPECT_THAT(document(), HasSubstr("\"one\""));
}

TEST_F(Reload, AChangedListenerMovesUnlessItsPortIsBusy) {
  start_with("{kind: log, name: one}");
  auto taken = ListeningSockets::bind({"127.0.0.1", 0});
  ASSERT_TRUE(taken.ok());
  const ListenAddress there = taken.value()->addresses().at(0);
  const std::string moved = "listen: " + there.text() + "\n";
  replace("hub.yaml", moved);
  ASSERT_TRUE(refused(1));
  EXPECT_THAT(document(), HasSubstr("\"one\""));
  taken.value().reset();
  replace("hub.yaml", moved);
  ASSERT_TRUE(eventually([&] { return !ListeningSockets::bind(there).ok(); }));
  EXPECT_EQ(Client(there.port).get("/healthz").status, 200);
}

TEST_F(Reload, StartRefusesWhatReloadRefuses) {
  put("hub.yaml", "listen: 127.0.0.1:0\nbad: 1\n");
  HubOptions options;
  options.config = path("hub.yaml");
  const shm::Status status = start(options);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, shm::Errc::invalid);
  EXPECT_THAT(status.error().text, testing::StartsWith(path("hub.yaml") + ":2:1: unknown key `bad`"));
  options.config = path("none.yaml");
  EXPECT_EQ(start(options).error().code, shm::Errc::invalid);
  options.config.reset();
  options.listen = ListenAddress{"0.0.0.0", 0};
  EXPECT_EQ(start(options).error().code, shm::Errc::invalid);
}

TEST_F(Reload, WithoutAFileAnyNameWorksForTheServersOfTheCommandLine) {
  HubOptions options;
  options.listen = ListenAddress{"127.0.0.1", 0};
  options.servers.push_back({"a", blake3(kReloadKey), "a", false});
  ASSERT_TRUE(start(options).ok());
  EXPECT_THAT(document(), HasSubstr(R"({"kind":"log","pattern":"*","max_directories":64,)"));
  EXPECT_THAT(document(), HasSubstr(R"({"kind":"status","pattern":"*","max_directories":64,)"));
}

}  // namespace
}  // namespace mayfly::hubd
