// The program itself: exit codes, sockets handed over, what it tells its supervisor.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "common/tripcode.h"
#include "hub_fixture.h"

namespace mayfly::hubd {
namespace {

using testing::HasSubstr;

/// The program, its standard output and error going to files.
class Program : public HubTest {
 protected:
  void TearDown() override {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    HubTest::TearDown();
  }

  /// `handed` becomes descriptor 3, under the name "hub"; -1: none.
  void launch(std::vector<std::string> arguments, int handed = -1) {
    arguments.insert(arguments.begin(), MAYFLY_HUBD);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const std::string out = path("out"), err = path("err"), notify = path("notify");
    pid_ = fork();
    ASSERT_GE(pid_, 0);
    if (pid_ != 0) return;
    if (std::freopen(out.c_str(), "w", stdout) == nullptr ||
        std::freopen(err.c_str(), "w", stderr) == nullptr)
      _exit(99);
    setenv("NOTIFY_SOCKET", notify.c_str(), 1);
    if (handed >= 0) {
      dup2(handed, 3);
      setenv("LISTEN_FDS", "1", 1);
      setenv("LISTEN_FDNAMES", "hub", 1);
      setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    }
    execv(argv[0], argv.data());
    _exit(98);
  }

  /// The exit code; -1 when it does not end within the deadline, or by a signal.
  int exit_code() {
    int status = 0;
    if (!eventually([&] { return waitpid(pid_, &status, WNOHANG) == pid_; })) return -1;
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  int run(std::vector<std::string> arguments) {
    launch(std::move(arguments));
    return exit_code();
  }

  std::string text_of(const std::string& name) const {
    std::ifstream file(path(name));
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  pid_t pid_ = -1;
};

TEST_F(Program, WrongUseAndWrongConfigurationEndWithTwo) {
  EXPECT_EQ(run({"--nonsense"}), 2);
  EXPECT_EQ(run({"--listen", "here"}), 2);
  EXPECT_THAT(text_of("err"), HasSubstr("--listen: `here` is not ADDRESS:PORT"));
  EXPECT_EQ(run({"--listen", "0.0.0.0:0"}), 2);
  EXPECT_THAT(text_of("err"), HasSubstr("beyond loopback"));
  EXPECT_EQ(run({"--server", "a=" + tripcode("changeme")}), 2);
  EXPECT_EQ(run({"--config", path("none.yaml")}), 2);
  put("hub.yaml", "listen: 127.0.0.1:0\ndirectories:\n  - {kind: log, name: a, max_keys: unlimited}\n");
  EXPECT_EQ(run({"--config", path("hub.yaml")}), 2);
  EXPECT_THAT(text_of("err"), HasSubstr(path("hub.yaml") + ":3:36: `max_keys`: `unlimited`"));
  EXPECT_EQ(text_of("out"), "");
}

TEST_F(Program, ABusyPortEndsWithOne) {
  const auto taken = ListeningSockets::bind({"127.0.0.1", 0});
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(run({"--listen", taken.value()->addresses().at(0).text()}), 1);
  EXPECT_THAT(text_of("err"), HasSubstr(taken.value()->addresses().at(0).text()));
}

TEST_F(Program, ServesOnAHandedSocketSaysSoAndEndsCleanly) {
  const int news = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path("notify").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(news, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const auto heard = [&](const std::string& word) {
    std::string text;
    while (text.find(word) == std::string::npos) {
      pollfd wait{news, POLLIN, 0};
      char buffer[4096];
      if (poll(&wait, 1, 20000) != 1) return false;
      text = std::string(buffer, static_cast<std::size_t>(recv(news, buffer, sizeof buffer, 0)));
    }
    return true;
  };
  const auto sockets = ListeningSockets::bind({"127.0.0.1", 0});
  ASSERT_TRUE(sockets.ok());
  const std::vector<int> handed = sockets.value()->duplicates().value();
  put("hub.yaml", "servers: [{name: a, tripcode: \"" + tripcode("a key nobody guesses") + "\"}]\n");
  launch({"--config", path("hub.yaml")}, handed.at(0));
  close(handed.at(0));
  ASSERT_TRUE(heard("READY=1"));
  const std::uint16_t at = sockets.value()->addresses().at(0).port;
  EXPECT_EQ(Client(at).get("/mayfly/v1/quotas/a", "X-ApiKey: a key nobody guesses\r\n").status, 200);
  kill(pid_, SIGHUP);
  EXPECT_TRUE(eventually(
      [&] { return Client(at).get("/metrics").body.find("{result=\"ok\"} 1") != std::string::npos; }));
  kill(pid_, SIGTERM);
  EXPECT_TRUE(heard("STOPPING=1"));
  EXPECT_EQ(exit_code(), 0);
  EXPECT_EQ(text_of("out"), "");
  close(news);
}

}  // namespace
}  // namespace mayfly::hubd
