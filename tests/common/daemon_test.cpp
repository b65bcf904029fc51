// What daemons do around their work: handed sockets, news to a supervisor, signals.
#include "common/daemon.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "common/log_output.h"

namespace mayfly {
namespace {

// Runs `check` in a child, where descriptors and environment may be changed at will. True when it
// said so.
template <class Check>
bool in_child(Check check) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(check() ? 0 : 1);
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Puts `count` sockets where LISTEN_FDS has them.
void place_sockets(int count) {
  for (int i = 0; i < count; ++i) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd != 3 + i) {
      ::dup2(fd, 3 + i);
      if (fd > 2 + count || fd < 3) ::close(fd);
    }
  }
}

void announce(const char* count, const char* names, pid_t pid) {
  ::setenv("LISTEN_FDS", count, 1);
  names != nullptr ? ::setenv("LISTEN_FDNAMES", names, 1) : ::unsetenv("LISTEN_FDNAMES");
  ::setenv("LISTEN_PID", std::to_string(pid).c_str(), 1);
}

TEST(HandedSockets, ByName) {
  EXPECT_TRUE(in_child([] {
    place_sockets(3);
    announce("3", "ingest:redis:ingest", ::getpid());
    auto handed = HandedSockets::from_environment();
    if (!handed) return false;
    const bool flags = (::fcntl(4, F_GETFD) & FD_CLOEXEC) != 0 && (::fcntl(4, F_GETFL) & O_NONBLOCK) != 0;
    return flags && handed.value().take("ingest") == std::vector<int>{3, 5} &&
           handed.value().take("ingest").empty() &&
           handed.value().left() == std::vector<std::string>{"redis"} && std::getenv("LISTEN_FDS") == nullptr;
  }));
}

TEST(HandedSockets, ForAnotherProcess_AreNone) {
  EXPECT_TRUE(in_child([] {
    announce("1", "ingest", ::getppid());
    auto handed = HandedSockets::from_environment();
    return handed.ok() && handed.value().take("ingest").empty();
  }));
}

TEST(HandedSockets, Contradictions_AreErrors) {
  EXPECT_TRUE(in_child([] {
    place_sockets(2);
    announce("2", "one", ::getpid());
    if (HandedSockets::from_environment().ok()) return false;
    announce("-1", "one", ::getpid());
    if (HandedSockets::from_environment().ok()) return false;
    announce("900", nullptr, ::getpid());
    return !HandedSockets::from_environment().ok();
  }));
}

// A notification socket at a path or an abstract name, and what arrived there.
std::string notified(const std::string& address) {
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, address.data(), address.size());
  if (address[0] == '@') name.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
  EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&name), length), 0);
  ::setenv("NOTIFY_SOCKET", address.c_str(), 1);
  ::setenv("WATCHDOG_USEC", "3000000", 1);
  std::string all;
  {
    const Notifier notifier = Notifier::from_environment();
    EXPECT_EQ(notifier.watchdog_interval(), std::chrono::milliseconds(1500));
    EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
    notifier.ready("up");
    notifier.watchdog();
    notifier.stopping();
  }
  char chunk[256];
  for (ssize_t got = ::recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT); got > 0;
       got = ::recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT)) {
    all.append(chunk, static_cast<std::size_t>(got));
  }
  ::close(fd);
  return all;
}

TEST(Notifier, PathAndAbstractSockets) {
  const std::string wanted = "READY=1\nSTATUS=up\nWATCHDOG=1\nSTOPPING=1\n";
  std::string directory = "/tmp/mayfly-notify-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  EXPECT_EQ(notified(directory + "/notify"), wanted);
  EXPECT_EQ(notified("@mayfly-notify-" + std::to_string(::getpid())), wanted);
  ::unlink((directory + "/notify").c_str());
  ::rmdir(directory.c_str());
}

TEST(Notifier, WithoutASupervisor_DoesNothing) {
  ::unsetenv("NOTIFY_SOCKET");
  const Notifier notifier = Notifier::from_environment();
  EXPECT_FALSE(notifier.enabled());
  EXPECT_FALSE(notifier.send("READY=1\n"));
  EXPECT_FALSE(notifier.watchdog_interval());
}

TEST(Harden, NoCoreDumps) {
  EXPECT_TRUE(in_child([] {
    if (!harden_process().ok()) return false;
    struct rlimit core = {};
    ::getrlimit(RLIMIT_CORE, &core);
    struct sigaction pipe = {};
    ::sigaction(SIGPIPE, nullptr, &pipe);
    return ::prctl(PR_GET_DUMPABLE) == 0 && core.rlim_cur == 0 && pipe.sa_handler == SIG_IGN;
  }));
}

TEST(SignalTrap, CallsOnTheLoop) {
  uv_loop_t loop;
  ASSERT_EQ(uv_loop_init(&loop), 0);
  uv_timer_t keep;  // a trap alone keeps no loop alive
  uv_timer_init(&loop, &keep);
  uv_timer_start(
      &keep, [](uv_timer_t*) {}, 60'000, 0);
  int seen = 0;
  auto trap = SignalTrap::start(&loop, {SIGUSR1, SIGUSR2}, [&](int number) {
    seen = number;
    uv_close(reinterpret_cast<uv_handle_t*>(&keep), nullptr);
  });
  ASSERT_TRUE(trap);
  ::raise(SIGUSR2);
  uv_run(&loop, UV_RUN_DEFAULT);
  EXPECT_EQ(seen, SIGUSR2);
  trap.value().reset();
  uv_run(&loop, UV_RUN_DEFAULT);
  EXPECT_EQ(uv_loop_close(&loop), 0);
}

TEST(LogOutput, KnowsItsLevels) {
  EXPECT_TRUE(valid_log_level("warning"));
  EXPECT_FALSE(valid_log_level("loud"));
  EXPECT_FALSE(valid_log_level(""));
}

}  // namespace
}  // namespace mayfly
