// Starting one program, with sockets handed over and its life tied to ours.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "shm/result.h"
#include "supervisor/fd.h"

namespace mayfly::supervisor {

struct SpawnRequest {
  std::string path;                                              // of the program
  std::vector<std::string> arguments;                            // without argv[0]
  std::vector<std::pair<std::string, int>> sockets;              // LISTEN_FDNAMES and descriptors, in order
  std::vector<std::pair<std::string, std::string>> environment;  // beside our own
};

struct Spawned {
  pid_t pid = -1;
  Fd pidfd;  // readable once the process has ended
};

/// Forks and executes. The child has a process group of its own (a terminal's Ctrl-C reaches the
/// supervisor alone), /dev/null as standard input, our standard error as standard output (ours is
/// for events), default signal handling, no core dumps, and dies by SIGKILL when we die: SIGKILL,
/// as a stopped or hanging process would survive anything else. Returns after a successful exec.
/// The calling process must have one thread: the death signal follows the thread that forks.
/// Errors: io (with what failed in the child).
shm::Result<Spawned> spawn(const SpawnRequest& request);

/// The kernel's start time of a process, in clock ticks since boot: with the pid it names one
/// process for good. 0 when there is no such process.
unsigned long long start_ticks(pid_t pid);

}  // namespace mayfly::supervisor
