// The writing client against peers that behave badly: it never hangs and says what became of each record.
#include "cli/write_client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "supervisor/sockets.h"

namespace mayfly::cli {
namespace {

using std::chrono::milliseconds;
using supervisor::Fd;

class Peer {
 public:
  Peer() : listener_(supervisor::listen_tcp("peer", 0, "--peer")) {}
  std::vector<WriteTarget> targets() const { return parse_target(listener_.value().address).value(); }
  Fd accept() {
    for (int i = 0; i < 20'000; ++i) {
      Fd fd(::accept4(listener_.value().fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (fd) return fd;
      std::this_thread::sleep_for(milliseconds(1));
    }
    ADD_FAILURE() << "nobody connects";
    return {};
  }
  void close() { listener_.value().fd.reset(); }

 private:
  shm::Result<supervisor::Listener> listener_;
};

std::string read_until(const Fd& fd, const std::string& end) {
  std::string all;
  char bytes[4096];
  while (all.find(end) == std::string::npos) {
    const auto n = ::read(fd.get(), bytes, sizeof bytes);
    if (n <= 0) break;
    all.append(bytes, static_cast<std::size_t>(n));
  }
  return all;
}

void answer(const Fd& fd, const std::string& text) {
  ASSERT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

TEST(WriteClient, SendsBinarySafeAndWaitsForTheBarrier) {
  Peer peer;
  std::string received;
  std::thread server([&] {
    const Fd fd = peer.accept();
    answer(fd, "+GO\r\n");
    received = read_until(fd, "PING\r\n");
    answer(fd, "*2\r\n$7\r\nstopped\r\n:0\r\n+PONG\r\n");
    if (received.find("DROPPED") == std::string::npos) {
      received += read_until(fd, "PING\r\n");
      answer(fd, "*0\r\n+PONG\r\n");
    }
    read_until(fd, "never");
  });
  {
    WriteClient client(peer.targets());
    client.put({"LOG", "demo", "k", std::string_view("a\r\n\0b", 5)});
    client.finish(milliseconds(20'000));
    EXPECT_TRUE(client.summary().all_stored());
    EXPECT_EQ(client.summary().confirmed, 1u);
  }
  server.join();
  EXPECT_NE(received.find(std::string("*4\r\n$3\r\nLOG\r\n$4\r\ndemo\r\n$1\r\nk\r\n$5\r\na\r\n\0b\r\n", 41)),
            std::string::npos);
}

TEST(WriteClient, ReportsWhatWasDropped) {
  Peer peer;
  std::thread server([&] {
    const Fd fd = peer.accept();
    answer(fd, "-STOP no-quotas the hub is away\r\n");
    std::string all = read_until(fd, "DROPPED\r\n");
    answer(fd, "*4\r\n$7\r\nstopped\r\n:2\r\n$11\r\nbad_command\r\n:0\r\n+PONG\r\n+PONG\r\n");
    read_until(fd, "never");
  });
  {
    WriteClient client(peer.targets());
    client.put({"LOG", "demo", "k", "1"});
    client.put({"LOG", "demo", "k", "2"});
    client.finish(milliseconds(20'000));
    EXPECT_FALSE(client.summary().all_stored());
    EXPECT_EQ(client.summary().dropped, (std::map<std::string, std::uint64_t>{{"stopped", 2}}));
    EXPECT_NE(client.summary().trouble.find("no-quotas"), std::string::npos);
  }
  server.join();
}

TEST(WriteClient, GivesUpWhereNobodyListens) {
  Peer peer;
  const auto targets = peer.targets();
  peer.close();
  WriteClient client(targets);
  client.put({"SET", "a", "b", "c"});
  client.finish(milliseconds(60'000));
  EXPECT_EQ(client.summary().lost, 1u);
  EXPECT_NE(client.summary().trouble.find("cannot connect"), std::string::npos);
}

TEST(WriteClient, NeverHangsOnAPeerThatSaysNothing) {
  Peer peer;  // accepts by its backlog alone
  WriteClient client(peer.targets());
  client.put({"LOG", "demo", "k", "1"});
  client.finish(milliseconds(100));
  EXPECT_EQ(client.summary().unknown, 1u);
}

TEST(WriteClient, CountsAsLostWhatAPeerThatReadsNothingLeavesNoRoomFor) {
  Peer peer;
  WriteClient client(peer.targets());
  const std::string line(100'000, 'x');
  std::uint64_t put = 0;
  for (; client.summary().lost == 0 && put < 100'000; ++put) {
    client.put({"LOG", "demo", "k", line});
    client.turn(-1, milliseconds(0));
  }
  EXPECT_FALSE(client.has_room());
  client.finish(milliseconds(100));
  const auto& summary = client.summary();
  EXPECT_EQ(summary.confirmed + summary.unknown + summary.lost, put);
  EXPECT_GT(summary.lost, 1u) << "what was queued and never handed over is lost too";
}

TEST(WriteClient, GoesOnAfterABreakAndKeepsWhatWasNotHandedOver) {
  Peer peer;
  std::string second;
  std::thread server([&] {
    peer.accept();  // and closed at once
    const Fd fd = peer.accept();
    std::string all;
    for (std::string part = "first"; !part.empty() && all.find("DROPPED") == std::string::npos; all += part) {
      part = read_until(fd, "\r\n");
    }
    second = all;
    answer(fd, "*0\r\n+PONG\r\n+PONG\r\n");
    read_until(fd, "never");
  });
  {
    WriteClient client(peer.targets());
    client.put({"LOG", "demo", "k", "first"});
    for (int i = 0; i < 200 && client.summary().trouble.empty(); ++i) client.turn(-1, milliseconds(50));
    client.put({"LOG", "demo", "k", "second"});
    client.finish(milliseconds(20'000));
    const auto& summary = client.summary();
    EXPECT_EQ(summary.confirmed + summary.unknown + summary.lost, 2u);
    EXPECT_GE(summary.confirmed, 1u);
  }
  server.join();
  EXPECT_NE(second.find("second"), std::string::npos);
}

}  // namespace
}  // namespace mayfly::cli
