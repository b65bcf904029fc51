// System calls that fail when a test wants them to. The program that links failing_calls.cpp has its own
// definition of each, which asks the test first and then calls the C library's.
#pragma once

#include <sys/stat.h>
#include <sys/statfs.h>

#include <functional>

namespace mayfly::shm::test {

enum class Call {
  open,
  read,
  fstat,
  stat,
  statfs,
  fcntl,
  posix_fallocate,
  fchown,
  fchmod,
  rename,
  getrandom,
  geteuid,
  mmap,
  kCount
};

/// While it lives, `fate` is asked before each call of that kind made by this thread, with how many came
/// before (0 for the first): a positive answer is the errno with which it fails, 0 lets it through.
/// One at a time for each kind.
class Failing {
 public:
  using Fate = std::function<int(int before)>;
  Failing(Call call, Fate fate);
  /// The first `times` calls fail.
  Failing(Call call, int error, int times = 1);
  ~Failing();
  Failing(const Failing&) = delete;
  Failing& operator=(const Failing&) = delete;
  /// How many calls were let fail.
  int failed() const;

 private:
  Call call_;
};

/// While it lives, what stat() and statfs() answered in this thread is passed through `edit`.
class EditedStat {
 public:
  explicit EditedStat(std::function<void(struct stat&)> edit);
  ~EditedStat();
};
class EditedStatfs {
 public:
  explicit EditedStatfs(std::function<void(struct statfs&)> edit);
  ~EditedStatfs();
};
/// While it lives, geteuid() answers `uid` in this thread.
class OtherUser {
 public:
  explicit OtherUser(unsigned uid);
  ~OtherUser();
};

}  // namespace mayfly::shm::test
