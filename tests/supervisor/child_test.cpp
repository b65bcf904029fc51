#include "supervisor/child.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <thread>

#include "supervisor/pidfd.h"
#include "supervisor/sockets.h"
#include "tests/supervisor/scratch.h"

namespace mayfly::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kDeadline{20'000};

Program shell(const std::string& script) {
  Program program;
  program.name = "sh";
  program.request.path = "/bin/sh";
  program.request.arguments = {"-c", script};
  return program;
}

Ending await_end(Child& child) {
  for (const auto end = steady_clock::now() + kDeadline; steady_clock::now() < end;) {
    if (const auto ending = child.reap()) return *ending;
    std::this_thread::sleep_for(milliseconds(2));
  }
  ADD_FAILURE() << "it did not end";
  return {};
}

TEST(Child, TellsHowItEnded) {
  const UpOptions options;
  Child status(shell("exit 7"), options);
  ASSERT_TRUE(status.start(steady_clock::now()).ok());
  auto ending = await_end(status);
  EXPECT_FALSE(ending.signalled);
  EXPECT_EQ(ending.number, 7);
  EXPECT_FALSE(status.alive());

  Child killed(shell("kill -9 $$"), options);
  ASSERT_TRUE(killed.start(steady_clock::now()).ok());
  ending = await_end(killed);
  EXPECT_TRUE(ending.signalled);
  EXPECT_EQ(ending.number, SIGKILL);
}

TEST(Child, RestartsAtOnceThenBacksOffUntilItWasHealthy) {
  UpOptions options;
  options.healthy_after = milliseconds(5000);
  Child child(shell("exec sleep 1000"), options);
  auto now = steady_clock::now();
  const auto end_it = [&] {
    child.signal(SIGKILL);
    await_end(child);
    return child.plan_restart(now).count();
  };
  std::vector<long> delays;
  for (int i = 0; i < 7; ++i) {
    ASSERT_TRUE(child.start(now).ok());
    delays.push_back(end_it());
  }
  EXPECT_EQ(delays, (std::vector<long>{0, 100, 200, 400, 800, 1600, 2000}));
  EXPECT_FALSE(child.start_due(now));
  EXPECT_TRUE(child.start_due(now + milliseconds(2000)));

  ASSERT_TRUE(child.start(now).ok());
  Notification ready;
  ready.ready = true;
  child.notified(ready, now);
  now += milliseconds(5000);
  EXPECT_EQ(end_it(), 0);
}

TEST(Child, CountsAsHangingWhenItIsSilentForTooLong) {
  UpOptions options;
  options.start_limit = milliseconds(300);
  options.watchdog = milliseconds(100);
  Child child(shell("exec sleep 1000"), options);
  const auto begin = steady_clock::now();
  ASSERT_TRUE(child.start(begin).ok());
  EXPECT_EQ(child.health(begin + milliseconds(299)), Child::Health::fine);
  EXPECT_EQ(child.health(begin + milliseconds(300)), Child::Health::never_ready);
  Notification sign;
  sign.ready = true;
  child.notified(sign, begin + milliseconds(250));
  EXPECT_EQ(child.health(begin + milliseconds(349)), Child::Health::fine);
  EXPECT_EQ(child.health(begin + milliseconds(350)), Child::Health::silent);
  EXPECT_EQ(child.next_deadline(), begin + milliseconds(350));
  child.signal(SIGKILL);
  await_end(child);
}

TEST(Spawn, HandsSocketsOverAsListenFdsSays) {
  const Scratch scratch;
  auto one = listen_unix("one", scratch.path("one.sock"), 0660, std::nullopt);
  auto two = listen_tcp("two", 0, "--two");
  ASSERT_TRUE(one.ok() && two.ok());
  auto program = shell(
      "test \"$LISTEN_PID\" = $$ || exit 1; test \"$LISTEN_FDS\" = 2 || exit 2;"
      "test \"$LISTEN_FDNAMES\" = one:two || exit 3; test -S /proc/self/fd/3 || exit 4;"
      "test -S /proc/self/fd/4 || exit 5; test ! -e /proc/self/fd/5 || exit 6;"
      "test \"$NOTIFY_SOCKET\" = /x || exit 7; test \"$(ulimit -c)\" = 0 || exit 8");
  program.request.sockets = {{"one", one.value().fd.get()}, {"two", two.value().fd.get()}};
  program.request.environment = {{"NOTIFY_SOCKET", "/x"}};
  const UpOptions options;
  Child child(std::move(program), options);
  ASSERT_TRUE(child.start(steady_clock::now()).ok());
  EXPECT_EQ(await_end(child).number, 0);
}

TEST(Spawn, SaysWhatCouldNotBeStarted) {
  const auto spawned = spawn({"/nowhere/at/all", {}, {}, {}});
  ASSERT_FALSE(spawned.ok());
  EXPECT_NE(spawned.error().text.find("/nowhere/at/all"), std::string::npos);
}

// A supervisor in miniature, killed: what it started must go too, even where it is stopped.
TEST(Spawn, ChildrenDieWithTheirParent) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    auto spawned = spawn({"/bin/sleep", {"1000"}, {}, {}});
    const pid_t pid = spawned ? spawned.value().pid : -1;
    if (pid > 0) ::kill(pid, SIGSTOP);
    if (::write(ends[1], &pid, sizeof pid) != sizeof pid) ::_exit(1);
    ::pause();
  }
  pid_t child = -1;
  ASSERT_EQ(::read(ends[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
  ASSERT_GT(child, 0);
  const Fd process = open_process(child);
  EXPECT_FALSE(ended_within(process, milliseconds(0)));
  ::kill(parent, SIGKILL);
  EXPECT_TRUE(ended_within(process, kDeadline));
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace mayfly::supervisor
