// A process's own memory (buffers, stacks) kept out of swap. The segments' files are another matter:
// what keeps those off a disk is the file system that they lie on (common/runtime_dir.h).
#pragma once

#include <string>
#include <string_view>

#include "shm/result.h"

namespace mayfly {

enum class MemoryLock {
  automatic,  // locked where that is allowed without a limit; a warning where not and swap is in use
  off,
  required,  // locked, or an error
};

/// "auto", "off" or "require". Errors: invalid.
shm::Result<MemoryLock> parse_memory_lock(std::string_view text);

/// Locks what is mapped and what will be, each page when it is first touched: nothing is touched for it,
/// so a segment of any size costs nothing at start. Segments are locked too where swap is in use at that
/// moment: on a file system that is swapped, that keeps them in memory while a process has them mapped. Needs
/// CAP_IPC_LOCK or an unlimited RLIMIT_MEMLOCK (the soft limit is raised to the hard one): under a limit,
/// allocations would fail once it is reached. Locks do not pass on to other processes. For the start of main,
/// before there are threads. Errors: io (only with `required`).
shm::Status lock_memory(MemoryLock wanted);

/// What stands in the way of lock_memory(); empty where nothing does. Changes nothing.
std::string memory_lock_obstacle();

}  // namespace mayfly
