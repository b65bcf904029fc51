// Sockets, notifications, the host's identity, the sample writers, taking over.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "common/tripcode.h"
#include "shm/quotas.h"
#include "supervisor/demo.h"
#include "supervisor/host.h"
#include "supervisor/notify.h"
#include "supervisor/sockets.h"
#include "supervisor/spawn.h"
#include "supervisor/takeover.h"
#include "tests/supervisor/scratch.h"

namespace mayfly::supervisor {
namespace {

using shm::Errc;

TEST(Sockets, NameABusyPortAndItsFlag) {
  const auto first = listen_tcp("ingest", 0, "--ingest-port");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first.value().address, "127.0.0.1:" + std::to_string(first.value().port));
  const auto second = listen_tcp("ingest", first.value().port, "--ingest-port");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Errc::busy);
  EXPECT_NE(second.error().text.find(std::to_string(first.value().port)), std::string::npos);
  EXPECT_NE(second.error().text.find("--ingest-port"), std::string::npos);
}

TEST(Sockets, ReplaceAStaleOneAndNothingElse) {
  const Scratch scratch;
  ASSERT_TRUE(listen_unix("x", scratch.path("x.sock"), 0600, std::nullopt).ok());
  const auto again = listen_unix("x", scratch.path("x.sock"), 0660, ::getegid());
  ASSERT_TRUE(again.ok());
  struct stat st {};
  ASSERT_EQ(::stat(scratch.path("x.sock").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0660u);
  scratch.write("file", "data");
  EXPECT_EQ(listen_unix("x", scratch.path("file"), 0660, std::nullopt).error().code, Errc::untrusted);
  EXPECT_EQ(scratch.read("file"), "data");
}

void send_to(const std::string& path, const std::string& text) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(
      ::sendto(fd.get(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&address), sizeof address),
      static_cast<ssize_t>(text.size()));
}

TEST(NotifySocket, KnowsTheSenderAndItsWords) {
  const Scratch scratch;
  auto socket = NotifySocket::open(scratch.path("notify.sock"));
  ASSERT_TRUE(socket.ok());
  EXPECT_FALSE(socket.value().receive().has_value());
  send_to(scratch.path("notify.sock"), "READY=1\nSTATUS=WATCHDOG=1");
  send_to(scratch.path("notify.sock"), "WATCHDOG=1");
  send_to(scratch.path("notify.sock"), std::string("\0\n\n=", 4));
  const auto ready = socket.value().receive();
  ASSERT_TRUE(ready.has_value());
  EXPECT_EQ(ready->pid, ::getpid());
  EXPECT_TRUE(ready->ready);
  EXPECT_FALSE(ready->watchdog);
  EXPECT_TRUE(socket.value().receive()->watchdog);
  const auto noise = socket.value().receive();
  ASSERT_TRUE(noise.has_value());
  EXPECT_FALSE(noise->ready || noise->watchdog || noise->stopping);
}

TEST(HostIdentity, HasANameAndAKeyThatStays) {
  const Scratch scratch;
  EXPECT_TRUE(shm::valid_directory_name(local_server_name()));
  const auto first = load_host_identity("", scratch.path("host.key"));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first.value().key_file, scratch.path("host.key"));
  struct stat st {};
  ASSERT_EQ(::stat(scratch.path("host.key").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  const auto second = load_host_identity("", scratch.path("host.key"));
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(first.value().tripcode, second.value().tripcode);
}

TEST(HostIdentity, ComesFromTheHostsFileWhereItHasOne) {
  const Scratch scratch;
  scratch.write("host.yaml", "name: web-1\napi_key: open-sesame\n");
  EXPECT_FALSE(load_host_identity(scratch.path("host.yaml"), scratch.path("key")).ok())
      << "others can read it";
  ASSERT_EQ(::chmod(scratch.path("host.yaml").c_str(), 0600), 0);
  const auto identity = load_host_identity(scratch.path("host.yaml"), scratch.path("key"));
  ASSERT_TRUE(identity.ok());
  EXPECT_EQ(identity.value().name, "web-1");
  EXPECT_TRUE(identity.value().name_in_config);
  EXPECT_TRUE(identity.value().key_file.empty());
  EXPECT_EQ(identity.value().tripcode, tripcode("open-sesame"));
  EXPECT_FALSE(std::filesystem::exists(scratch.path("key")));
}

TEST(HostIdentity, RefusesAKeyFileThatOthersCanRead) {
  const Scratch scratch;
  scratch.write("host.key", "secret\n");
  ASSERT_EQ(::chmod(scratch.path("host.key").c_str(), 0644), 0);
  EXPECT_EQ(load_host_identity("", scratch.path("host.key")).error().code, Errc::untrusted);
}

TEST(DemoWriter, WritesWholeCommands) {
  const auto commands = demo_commands(3);
  EXPECT_EQ(commands.back(), '\n');
  EXPECT_EQ(commands.rfind("LOG demo machine tick 3:", 0), 0u);
  EXPECT_NE(commands.find("\nSTATUS demo-status load-1m "), std::string::npos);
}

TEST(Takeover, LeavesStrangersWithAReusedPidAlone) {
  nlohmann::ordered_json info;
  note_process(info, "ingestd", ::getpid());
  info["start_ticks"]["ingestd"] = start_ticks(::getpid()) + 1;
  EXPECT_TRUE(await_predecessors(info, std::chrono::milliseconds(0)));
  EXPECT_TRUE(await_predecessors(nlohmann::ordered_json::parse(R"({"pids":3,"start_ticks":[]})"),
                                 std::chrono::milliseconds(0)));
}

TEST(Takeover, KillsADaemonThatOutlivesItsSupervisor) {
  auto spawned = spawn({"/bin/sleep", {"1000"}, {}, {}});
  ASSERT_TRUE(spawned.ok());
  nlohmann::ordered_json info;
  note_process(info, "ingestd", spawned.value().pid);
  EXPECT_TRUE(await_predecessors(info, std::chrono::milliseconds(0)));
}

}  // namespace
}  // namespace mayfly::supervisor
