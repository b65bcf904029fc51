// Process descriptors: a process, not a number that may be reused. By system call: glibc 2.36
// declares its functions without C linkage, so C++ cannot link them.
#pragma once

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <chrono>

#include "supervisor/fd.h"

namespace mayfly::supervisor {

/// Empty, with errno set, on failure (ESRCH: no such process). Close-on-exec.
inline Fd open_process(pid_t pid) { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

/// False, with errno set, on failure (ESRCH: it has ended).
inline bool signal_process(const Fd& process, int number) {
  return ::syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0) == 0;
}

/// True once the process has ended (as a zombie at least), within `limit`.
bool ended_within(const Fd& process, std::chrono::milliseconds limit);

}  // namespace mayfly::supervisor
