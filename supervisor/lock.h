// One supervisor a runtime directory: a lock file, locked for the holder's life.
//
// A POSIX record lock: the kernel drops it when the holder dies, however it dies, a forked child
// does not keep it, and F_GETLK names the holder's pid, which `mayfly down` needs to trust. Its
// price is that closing any descriptor of the file drops it, so nobody but this class opens it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "shm/result.h"
#include "supervisor/fd.h"

namespace mayfly::supervisor {

class RuntimeLock {
 public:
  /// Waits up to `patience` for a holder, or up to `stopping_patience` for one that has announced
  /// its end. Errors: busy (with the holder's pid), untrusted, io.
  static shm::Result<RuntimeLock> acquire(const std::string& path, std::chrono::milliseconds patience,
                                          std::chrono::milliseconds stopping_patience);

  /// Tells those who wait that the holder is about to go.
  void announce_stop();

 private:
  explicit RuntimeLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

/// The pid that holds the lock at `path`; nothing when nobody does. Not for the holder itself.
/// Errors: io.
shm::Result<std::optional<pid_t>> lock_holder(const std::string& path);

}  // namespace mayfly::supervisor
