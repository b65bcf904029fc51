#include "supervisor/lock.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <thread>

namespace mayfly::supervisor {

using shm::Errc;
using shm::Error;
using shm::os_error;
using shm::Result;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds kRetry{20};
constexpr char kStopping = 's';

Result<Fd> open_lock_file(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return os_error(errno == ELOOP ? Errc::untrusted : Errc::io, "opening " + path, errno);
  return fd;
}

struct flock whole_file(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

// False also when the file was replaced or removed while we waited (`mayfly down --purge`).
bool still_named(const Fd& fd, const std::string& path) {
  struct stat ours {
  }, named{};
  return ::fstat(fd.get(), &ours) == 0 && ::stat(path.c_str(), &named) == 0 && ours.st_ino == named.st_ino &&
         ours.st_dev == named.st_dev;
}

bool holder_is_stopping(const Fd& fd) {
  char mark = 0;
  return ::pread(fd.get(), &mark, 1, 0) == 1 && mark == kStopping;
}

}  // namespace

Result<RuntimeLock> RuntimeLock::acquire(const std::string& path, milliseconds patience,
                                         milliseconds stopping_patience) {
  const auto begin = steady_clock::now();
  for (;;) {
    auto file = open_lock_file(path);
    if (!file) return file.error();
    auto lock = whole_file(F_WRLCK);
    if (::fcntl(file.value().get(), F_SETLK, &lock) == 0) {
      if (!still_named(file.value(), path)) continue;
      if (::ftruncate(file.value().get(), 0) != 0) return os_error(Errc::io, "clearing " + path, errno);
      return RuntimeLock(std::move(file.value()));
    }
    if (errno != EACCES && errno != EAGAIN) return os_error(Errc::io, "locking " + path, errno);
    const auto limit = holder_is_stopping(file.value()) ? stopping_patience : patience;
    if (steady_clock::now() - begin >= limit) {
      auto held = whole_file(F_WRLCK);
      const bool known = ::fcntl(file.value().get(), F_GETLK, &held) == 0 && held.l_type != F_UNLCK;
      return Error{Errc::busy,
                   known ? "held by process " + std::to_string(held.l_pid) : "held by another process"};
    }
    std::this_thread::sleep_for(kRetry);
  }
}

void RuntimeLock::announce_stop() {
  // A failure only makes a successor less patient.
  if (::pwrite(fd_.get(), &kStopping, 1, 0) != 1) return;
}

Result<std::optional<pid_t>> lock_holder(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT) return std::optional<pid_t>();
    return os_error(Errc::io, "opening " + path, errno);
  }
  auto lock = whole_file(F_WRLCK);
  if (::fcntl(fd.get(), F_GETLK, &lock) != 0) return os_error(Errc::io, "looking at the lock " + path, errno);
  if (lock.l_type == F_UNLCK) return std::optional<pid_t>();
  return std::optional<pid_t>(lock.l_pid);
}

}  // namespace mayfly::supervisor
