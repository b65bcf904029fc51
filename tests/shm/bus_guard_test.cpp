// The guard of mapped files that somebody truncates. What a handler of SIGBUS does is shown in programs of
// their own (death tests that start the test program anew): the guard's is installed once a process.
#include "shm/bus_guard.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <csignal>
#include <utility>
#include <vector>

#include "tests/shm/failing_calls.h"
#include "tests/shm/temp_directory.h"

namespace mayfly::shm::test {
namespace {

constexpr std::size_t kPage = 4096;

/// A mapped file of two pages of 'x'.
class MappedFile {
 public:
  MappedFile() {
    write_file(path_, std::string(2 * kPage, 'x'));
    const int fd = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
    at_ = static_cast<volatile char*>(::mmap(nullptr, 2 * kPage, PROT_READ, MAP_SHARED, fd, 0));
    ::close(fd);
  }
  ~MappedFile() { ::munmap(const_cast<char*>(at_), 2 * kPage); }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  const void* begin() const { return const_cast<const char*>(at_); }
  char byte(std::size_t i) const { return at_[i]; }
  void truncate(std::size_t bytes) const {
    ASSERT_EQ(::truncate(path_.c_str(), static_cast<off_t>(bytes)), 0);
  }

 private:
  TempDirectory directory_;
  std::string path_ = directory_ / "file";
  volatile char* at_ = nullptr;
};

class BusGuardTest : public testing::Test {
 protected:
  BusGuardTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(BusGuardTest, WhatIsGoneReadsAsZerosAndIsRemembered) {
  const MappedFile file;
  const BusGuard guard(file.begin(), 2 * kPage);
  file.truncate(kPage);
  EXPECT_EQ(file.byte(0), 'x');
  EXPECT_FALSE(guard.torn()) << "nothing was missed yet";
  EXPECT_EQ(file.byte(kPage + 7), '\0');
  EXPECT_TRUE(guard.torn());
}

TEST_F(BusGuardTest, OnlyTheGuardOfThatMappingKnows) {
  const MappedFile one;
  const MappedFile two;
  const BusGuard first(one.begin(), 2 * kPage);
  const BusGuard second(two.begin(), 2 * kPage);
  two.truncate(0);
  EXPECT_EQ(two.byte(0), '\0');
  EXPECT_FALSE(first.torn());
  EXPECT_TRUE(second.torn());
}

TEST_F(BusGuardTest, AGuardMovesWithWhatItKnows) {
  const MappedFile file;
  BusGuard guard(file.begin(), 2 * kPage);
  file.truncate(0);
  EXPECT_EQ(file.byte(0), '\0');
  BusGuard moved(std::move(guard));
  EXPECT_TRUE(moved.torn());
  BusGuard none;
  EXPECT_FALSE(none.torn());
  none = std::move(moved);
  EXPECT_TRUE(none.torn());
}

TEST_F(BusGuardTest, BeyondTheMostMappingsOneIsNotGuardedAndSaysNothing) {
  const std::vector<char> anywhere(16);
  std::vector<BusGuard> guards;
  for (int i = 0; i < 300; ++i) guards.emplace_back(anywhere.data(), anywhere.size());
  EXPECT_FALSE(guards.back().torn());
  guards.clear();
  const MappedFile file;
  const BusGuard guard(file.begin(), 2 * kPage);
  file.truncate(0);
  EXPECT_EQ(file.byte(0), '\0');
  EXPECT_TRUE(guard.torn()) << "the places are free again";
}

/// Has `number` handled by `handler` with `flags` before the guard's own handler comes.
template <class Handler>
void handle_before(int number, Handler handler, int flags) {
  struct sigaction action = {};
  if constexpr (std::is_same_v<Handler, void (*)(int)>) {
    action.sa_handler = handler;
  } else {
    action.sa_sigaction = handler;
  }
  action.sa_flags = flags;
  ::sigaction(number, &action, nullptr);
}

TEST_F(BusGuardTest, WhatConcernsNoMappingGoesToTheHandlerBefore) {
  void (*const informed)(int, siginfo_t*, void*) = [](int, siginfo_t*, void*) { leave(7); };
  void (*const plain)(int) = [](int) { leave(8); };
  const std::vector<char> elsewhere(16);
  EXPECT_EXIT(
      {
        handle_before(SIGBUS, informed, SA_SIGINFO);
        const BusGuard guard(elsewhere.data(), 16);
        ::raise(SIGBUS);
      },
      testing::ExitedWithCode(7), "");
  EXPECT_EXIT(
      {
        handle_before(SIGBUS, plain, 0);
        const BusGuard guard(elsewhere.data(), 16);
        ::raise(SIGBUS);
      },
      testing::ExitedWithCode(8), "");
}

TEST_F(BusGuardTest, WithoutAHandlerBeforeTheProcessEndsAsItWouldHave) {
  const std::vector<char> elsewhere(16);
  for (void (*before)(int) : {SIG_DFL, SIG_IGN}) {
    EXPECT_EXIT(
        {
          handle_before(SIGBUS, before, 0);
          const BusGuard guard(elsewhere.data(), 16);
          ::raise(SIGBUS);  // sent, not caused: nothing runs again, but the next one ends the process
          struct sigaction now = {};
          ::sigaction(SIGBUS, nullptr, &now);
          leave(now.sa_handler == SIG_DFL ? 9 : 10);
        },
        testing::ExitedWithCode(9), "");
  }
  EXPECT_EXIT(
      {
        const MappedFile file;
        const BusGuard guard(elsewhere.data(), 16);
        file.truncate(0);
        leave(file.byte(0));
      },
      testing::KilledBySignal(SIGBUS), "");
}

TEST_F(BusGuardTest, WhereNoZerosCanBeHadTheProcessEnds) {
  void (*const plain)(int) = [](int) { leave(11); };
  EXPECT_EXIT(
      {
        handle_before(SIGBUS, plain, 0);
        const MappedFile file;
        const BusGuard guard(file.begin(), 2 * kPage);
        file.truncate(0);
        const Failing none(Call::mmap, ENOMEM);
        leave(file.byte(0));
      },
      testing::ExitedWithCode(11), "");
}

}  // namespace
}  // namespace mayfly::shm::test
