// Birth, locking and mapping of segment files. Boost.Interprocess maps; everything else that its
// managed segments would do (allocation, birth, locking) is done here, so that a process killed at
// any instruction leaves a file that the next one can use (docs/shm-format.md, "Birth").
#pragma once

#include <boost/interprocess/mapped_region.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "shm/bus_guard.h"
#include "shm/result.h"
#include "shm/word.h"

namespace mayfly::shm {

/// How and where a segment file is kept.
struct FileOptions {
  std::string path;
  std::chrono::milliseconds lock_wait{5000};
  bool require_memory_backed = true;
  unsigned mode = 0640;
  std::optional<unsigned> group;
};

/// Held for the writer's life; the kernel lets go of it when the process dies. Movable.
class WriterLock {
 public:
  /// Errors: busy (held by another for longer than lock_wait), io.
  static Result<WriterLock> acquire(const FileOptions& options);
  WriterLock(WriterLock&& other) noexcept;
  WriterLock& operator=(WriterLock&& other) noexcept;
  ~WriterLock();

 private:
  explicit WriterLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

/// A mapped segment file. The mapping outlives renames and removals of the path.
class Mapping {
 public:
  /// Errors: not_found, corrupt (shorter than `min_bytes`, not a regular file), untrusted, io.
  static Result<Mapping> open(const std::string& path, bool writable, std::uint64_t min_bytes);
  /// Makes the file under a temporary name, allocates every byte, lets `init` fill it (its last
  /// store being the READY word), and renames it into place. Call with the lock held.
  /// Errors: no_space, io.
  static Result<Mapping> create(const FileOptions& options, std::uint64_t bytes,
                                const std::function<void(Word*)>& init);

  Word* words() const { return static_cast<Word*>(region_.get_address()); }
  std::uint64_t bytes() const { return region_.get_size(); }
  /// True when `path` is another file by now, or none, or torn().
  bool replaced(const std::string& path) const;
  /// True when the file was truncated below what is mapped. Two system calls.
  bool torn(const std::string& path) const;

 private:
  boost::interprocess::mapped_region region_;
  BusGuard guard_;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

/// The directory must be memory-backed (if asked for), not a symlink, ours or root's, and not
/// writable for everybody. Errors: not_memory_backed, untrusted, not_found, io.
Status check_directory(const std::string& directory, bool require_memory_backed);
/// The folder part of a path; "." if there is none.
std::string directory_of(const std::string& path);
/// Moves an unusable file to path + ".aside" (an older one there goes). Returns the new name.
Result<std::string> set_aside(const std::string& path);
/// Whether segments that are mapped from here on may stay locked in a process that locks all it maps
/// (mlockall). Not by default: each page would cost more at its first touch and when the process ends,
/// and a file system that is never swapped has no need of it. Thread-safe.
void keep_segments_locked(bool keep);
/// A random number that is not 0.
std::uint64_t random_word();
/// The kernel's boot id, as two words.
struct BootId {
  Word low = 0;
  Word high = 0;
  friend bool operator==(const BootId&, const BootId&) = default;
};
BootId current_boot_id();

}  // namespace mayfly::shm
