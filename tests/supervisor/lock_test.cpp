#include "supervisor/lock.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/supervisor/scratch.h"

namespace mayfly::supervisor {
namespace {

using shm::Errc;
using std::chrono::milliseconds;

// A process that holds the lock until it is killed.
class Holder {
 public:
  Holder(const std::string& path, bool stopping) {
    int ends[2];
    if (::pipe(ends) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      auto lock = RuntimeLock::acquire(path, milliseconds(0), milliseconds(0));
      if (lock && stopping) lock.value().announce_stop();
      const char result = lock ? 'y' : 'n';
      if (::write(ends[1], &result, 1) != 1) ::_exit(1);
      ::pause();
      ::_exit(0);
    }
    char result = 0;
    held_ = ::read(ends[0], &result, 1) == 1 && result == 'y';
    ::close(ends[0]);
    ::close(ends[1]);
  }
  ~Holder() { end(); }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  pid_t pid() const { return pid_; }
  bool held() const { return held_; }

 private:
  pid_t pid_ = -1;
  bool held_ = false;
};

TEST(RuntimeLock, IsHeldByOneProcessAndNamesIt) {
  const Scratch scratch;
  const auto path = scratch.path("lock");
  Holder holder(path, false);
  ASSERT_TRUE(holder.held());
  EXPECT_EQ(lock_holder(path).value(), holder.pid());
  const auto second = RuntimeLock::acquire(path, milliseconds(0), milliseconds(60'000));
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Errc::busy);
  EXPECT_NE(second.error().text.find(std::to_string(holder.pid())), std::string::npos);
}

TEST(RuntimeLock, IsFreeOnceItsHolderIsKilled) {
  const Scratch scratch;
  Holder holder(scratch.path("lock"), false);
  holder.end();
  EXPECT_FALSE(lock_holder(scratch.path("lock")).value().has_value());
  EXPECT_TRUE(RuntimeLock::acquire(scratch.path("lock"), milliseconds(0), milliseconds(0)).ok());
}

TEST(RuntimeLock, WaitsLongerForAHolderThatIsStopping) {
  const Scratch scratch;
  Holder holder(scratch.path("lock"), true);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(RuntimeLock::acquire(scratch.path("lock"), milliseconds(0), milliseconds(200)).ok());
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(200));
}

TEST(RuntimeLock, IsNotTakenOnASymlink) {
  const Scratch scratch;
  std::filesystem::create_symlink(scratch.path("elsewhere"), scratch.path("lock"));
  EXPECT_EQ(RuntimeLock::acquire(scratch.path("lock"), milliseconds(0), milliseconds(0)).error().code,
            Errc::untrusted);
}

TEST(RuntimeLock, NobodyHoldsWhatIsNotThere) {
  const Scratch scratch;
  EXPECT_FALSE(lock_holder(scratch.path("lock")).value().has_value());
}

}  // namespace
}  // namespace mayfly::supervisor
