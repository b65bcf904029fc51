#include "tests/shm/failing_calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <optional>

namespace mayfly::shm::test {
namespace {

struct Plan {
  Failing::Fate fate;
  int calls = 0;
  int failed = 0;
};

thread_local std::array<Plan, static_cast<std::size_t>(Call::kCount)> t_plans;
thread_local std::function<void(struct stat&)> t_edit_stat;
thread_local std::function<void(struct statfs&)> t_edit_statfs;
thread_local std::optional<unsigned> t_uid;

Plan& plan_of(Call call) { return t_plans[static_cast<std::size_t>(call)]; }

/// The errno with which this call is to fail, or 0.
int fate_of(Call call) {
  Plan& plan = plan_of(call);
  if (!plan.fate) return 0;
  const int error = plan.fate(plan.calls++);
  plan.failed += error != 0 ? 1 : 0;
  return error;
}

/// True when the call fails, with errno set.
bool fails(Call call) {
  const int error = fate_of(call);
  if (error != 0) errno = error;
  return error != 0;
}

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

Failing::Failing(Call call, Fate fate) : call_(call) { plan_of(call) = {std::move(fate), 0, 0}; }
Failing::Failing(Call call, int error, int times)
    : Failing(call, [error, times](int before) { return before < times ? error : 0; }) {}
Failing::~Failing() { plan_of(call_) = {}; }
int Failing::failed() const { return plan_of(call_).failed; }

EditedStat::EditedStat(std::function<void(struct stat&)> edit) { t_edit_stat = std::move(edit); }
EditedStat::~EditedStat() { t_edit_stat = nullptr; }
EditedStatfs::EditedStatfs(std::function<void(struct statfs&)> edit) { t_edit_statfs = std::move(edit); }
EditedStatfs::~EditedStatfs() { t_edit_statfs = nullptr; }
OtherUser::OtherUser(unsigned uid) { t_uid = uid; }
OtherUser::~OtherUser() { t_uid.reset(); }

}  // namespace mayfly::shm::test

using mayfly::shm::test::Call;
using mayfly::shm::test::fails;
using mayfly::shm::test::fate_of;
using mayfly::shm::test::real;
using mayfly::shm::test::t_edit_stat;
using mayfly::shm::test::t_edit_statfs;
using mayfly::shm::test::t_uid;

// With files of 64 bits the headers give these functions their 64-bit symbols, which dlsym() must be told.
extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return fails(Call::open) ? -1 : real<int(const char*, int, ...)>("open64")(path, flags, mode);
}

ssize_t read(int fd, void* to, size_t bytes) {
  return fails(Call::read) ? -1 : real<ssize_t(int, void*, size_t)>("read")(fd, to, bytes);
}

int fstat(int fd, struct stat* seen) noexcept {
  return fails(Call::fstat) ? -1 : real<int(int, struct stat*)>("fstat64")(fd, seen);
}

int stat(const char* path, struct stat* seen) noexcept {
  if (fails(Call::stat)) return -1;
  const int result = real<int(const char*, struct stat*)>("stat64")(path, seen);
  if (result == 0 && t_edit_stat) t_edit_stat(*seen);
  return result;
}

int statfs(const char* path, struct statfs* seen) noexcept {
  if (fails(Call::statfs)) return -1;
  const int result = real<int(const char*, struct statfs*)>("statfs64")(path, seen);
  if (result == 0 && t_edit_statfs) t_edit_statfs(*seen);
  return result;
}

int fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  return fails(Call::fcntl) ? -1 : real<int(int, int, ...)>("fcntl64")(fd, command, argument);
}

int posix_fallocate(int fd, off_t from, off_t bytes) {
  const int error = fate_of(Call::posix_fallocate);
  return error != 0 ? error : real<int(int, off_t, off_t)>("posix_fallocate64")(fd, from, bytes);
}

int fchown(int fd, uid_t user, gid_t group) noexcept {
  return fails(Call::fchown) ? -1 : real<int(int, uid_t, gid_t)>("fchown")(fd, user, group);
}

int fchmod(int fd, mode_t mode) noexcept {
  return fails(Call::fchmod) ? -1 : real<int(int, mode_t)>("fchmod")(fd, mode);
}

int rename(const char* from, const char* to) noexcept {
  return fails(Call::rename) ? -1 : real<int(const char*, const char*)>("rename")(from, to);
}

ssize_t getrandom(void* to, size_t bytes, unsigned flags) {
  return fails(Call::getrandom) ? -1 : real<ssize_t(void*, size_t, unsigned)>("getrandom")(to, bytes, flags);
}

uid_t geteuid() noexcept { return t_uid ? *t_uid : real<uid_t()>("geteuid")(); }

void* mmap(void* at, size_t bytes, int protection, int flags, int fd, off_t from) noexcept {
  if (fails(Call::mmap)) return MAP_FAILED;
  return real<void*(void*, size_t, int, int, int, off_t)>("mmap64")(at, bytes, protection, flags, fd, from);
}

}  // extern "C"
