#include "shm/segment_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <atomic>
#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/file_mapping.hpp>
#include <cerrno>
#include <cstdio>
#include <thread>

namespace mayfly::shm {
namespace {

namespace bip = boost::interprocess;

/// A file descriptor that closes itself.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::atomic<bool> segments_stay_locked{false};

/// A segment is never dumped to a disk; and locked only where that was asked for.
void set_up(const bip::mapped_region& region) {
  ::madvise(region.get_address(), region.get_size(), MADV_DONTDUMP);
  if (!segments_stay_locked.load()) ::munlock(region.get_address(), region.get_size());
}

Status allocate(int fd, const FileOptions& options, std::uint64_t bytes) {
  // Boost 1.74 would only truncate: a full tmpfs then kills by SIGBUS at the first touch.
  int error = 0;
  do {
    error = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  } while (error == EINTR);
  if (error == ENOSPC) {
    return Error{Errc::no_space, "no room for " + std::to_string(bytes) + " bytes in " +
                                     directory_of(options.path) +
                                     ": lower --memory or enlarge the file system"};
  }
  if (error != 0) return os_error(Errc::io, "allocating " + options.path, error);
  if (options.group && ::fchown(fd, static_cast<uid_t>(-1), *options.group) != 0) {
    return os_error(Errc::io, "changing the group of " + options.path, errno);
  }
  if (::fchmod(fd, options.mode) != 0)
    return os_error(Errc::io, "changing the mode of " + options.path, errno);
  return {};
}

}  // namespace

Result<WriterLock> WriterLock::acquire(const FileOptions& options) {
  const std::string path = options.path + ".lock";
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (fd.get() < 0) return os_error(Errc::io, "opening " + path, errno);
  const auto deadline = std::chrono::steady_clock::now() + options.lock_wait;
  while (true) {
    // An open-file-description lock: not lost when some other descriptor of the file is closed.
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (::fcntl(fd.get(), F_OFD_SETLK, &lock) == 0) return WriterLock(fd.release());
    if (errno != EAGAIN && errno != EACCES && errno != EINTR)
      return os_error(Errc::io, "locking " + path, errno);
    if (std::chrono::steady_clock::now() >= deadline) {
      return Error{Errc::busy, "another process writes " + options.path + " (lock " + path + ")"};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

WriterLock::WriterLock(WriterLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
WriterLock& WriterLock::operator=(WriterLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
WriterLock::~WriterLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<Mapping> Mapping::open(const std::string& path, bool writable, std::uint64_t min_bytes) {
  const Fd probe(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (probe.get() < 0) {
    const Errc code = errno == ENOENT ? Errc::not_found : errno == ELOOP ? Errc::untrusted : Errc::io;
    return os_error(code, "opening " + path, errno);
  }
  struct stat seen = {};
  if (::fstat(probe.get(), &seen) != 0) return os_error(Errc::io, "looking at " + path, errno);
  if (!S_ISREG(seen.st_mode)) return Error{Errc::corrupt, path + " is not a regular file"};
  if (static_cast<std::uint64_t>(seen.st_size) < min_bytes) {
    return Error{Errc::corrupt, path + " is too short: " + std::to_string(seen.st_size) + " bytes"};
  }
  try {
    // Through /proc the very file that was looked at is mapped, whatever the path means by now.
    const std::string same = "/proc/self/fd/" + std::to_string(probe.get());
    const bip::mode_t mode = writable ? bip::read_write : bip::read_only;
    const bip::file_mapping file(same.c_str(), mode);
    Mapping mapping;
    mapping.region_ = bip::mapped_region(file, mode, 0, static_cast<std::size_t>(seen.st_size));
    mapping.guard_ = BusGuard(mapping.region_.get_address(), mapping.region_.get_size());
    mapping.device_ = seen.st_dev;
    mapping.inode_ = seen.st_ino;
    set_up(mapping.region_);
    return mapping;
  } catch (const bip::interprocess_exception& e) {
    return Error{Errc::io, "mapping " + path + ": " + e.what()};
  }
}

Result<Mapping> Mapping::create(const FileOptions& options, std::uint64_t bytes,
                                const std::function<void(Word*)>& init) {
  const std::string fresh = options.path + ".new";
  ::unlink(fresh.c_str());  // of a predecessor killed at birth; the lock is ours
  {
    const Fd fd(::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (fd.get() < 0)
      return os_error(errno == ENOSPC ? Errc::no_space : Errc::io, "creating " + fresh, errno);
    if (Status done = allocate(fd.get(), options, bytes); !done) {
      ::unlink(fresh.c_str());
      return done.error();
    }
  }
  Result<Mapping> mapping = open(fresh, true, bytes);
  if (!mapping) return mapping.error();
  init(mapping.value().words());
  if (::rename(fresh.c_str(), options.path.c_str()) != 0) {
    return os_error(Errc::io, "renaming " + fresh, errno);
  }
  return mapping;
}

bool Mapping::replaced(const std::string& path) const {
  struct stat seen = {};
  if (::stat(path.c_str(), &seen) != 0) return true;
  if (seen.st_ino != inode_ || seen.st_dev != device_) return true;
  return static_cast<std::uint64_t>(seen.st_size) < bytes() || guard_.torn();
}

bool Mapping::torn(const std::string& path) const {
  if (guard_.torn()) return true;
  struct stat seen = {};
  if (::stat(path.c_str(), &seen) != 0 || seen.st_ino != inode_ || seen.st_dev != device_) return false;
  return static_cast<std::uint64_t>(seen.st_size) < bytes();
}

Status check_directory(const std::string& directory, bool require_memory_backed) {
  struct stat seen = {};
  if (::lstat(directory.c_str(), &seen) != 0) {
    return os_error(errno == ENOENT ? Errc::not_found : Errc::io, directory, errno);
  }
  if (S_ISLNK(seen.st_mode)) return Error{Errc::untrusted, directory + " is a symbolic link"};
  if (!S_ISDIR(seen.st_mode)) return Error{Errc::untrusted, directory + " is not a directory"};
  if (seen.st_uid != ::geteuid() && seen.st_uid != 0) {
    return Error{Errc::untrusted,
                 directory + " belongs to another user (uid " + std::to_string(seen.st_uid) + ")"};
  }
  if ((seen.st_mode & S_IWOTH) != 0) return Error{Errc::untrusted, directory + " is writable for everybody"};
  if (!require_memory_backed) return {};
  struct statfs fs = {};
  if (::statfs(directory.c_str(), &fs) != 0) return os_error(Errc::io, directory, errno);
  const auto type = static_cast<std::uint32_t>(fs.f_type);
  if (type != TMPFS_MAGIC && type != RAMFS_MAGIC && type != HUGETLBFS_MAGIC) {
    return Error{Errc::not_memory_backed,
                 directory + " lies on a disk: use a directory on tmpfs, such as below /dev/shm or /run"};
  }
  return {};
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<std::string> set_aside(const std::string& path) {
  std::string aside = path + ".aside";
  if (::rename(path.c_str(), aside.c_str()) != 0) return os_error(Errc::io, "moving aside " + path, errno);
  return aside;
}

void keep_segments_locked(bool keep) { segments_stay_locked.store(keep); }

std::uint64_t random_word() {
  std::uint64_t word = 0;
  while (word == 0) {
    if (::getrandom(&word, sizeof word, 0) != sizeof word) word = 0;
  }
  return word;
}

BootId current_boot_id() {
  BootId id;
  const Fd fd(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  char text[40] = {};
  if (fd.get() < 0 || ::read(fd.get(), text, 36) != 36) return id;
  int digits = 0;
  for (const char* c = text; *c != 0; ++c) {
    if (*c == '-') continue;
    const auto digit = static_cast<Word>(*c <= '9' ? *c - '0' : *c - 'a' + 10);
    Word& half = digits++ < 16 ? id.high : id.low;
    half = (half << 4) | (digit & 15);
  }
  return id;
}

}  // namespace mayfly::shm
