// Who used the processors between two moments: some processes, this one, all others.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <vector>

namespace mayfly::bench {

/// Processor time in nanoseconds.
struct CpuUse {
  std::uint64_t server = 0;
  std::uint64_t self = 0;
  std::uint64_t others = 0;  // of processes that were there at the end
  std::uint64_t unexplained =
      0;                     // that the machine was busy beyond these: processes that have ended; in ticks
  std::uint64_t stolen = 0;  // by the hypervisor; in ticks
};

/// Counts from its construction on. A process's time is that of all its threads, user and system, by
/// its own clock (CLOCK_PROCESS_CPUTIME_ID of that process), to the nanosecond, as the scheduler
/// counts it. Work that interrupts do on a processor counts for the process they interrupt, unless
/// the kernel was built with CONFIG_IRQ_TIME_ACCOUNTING.
class CpuAccount {
 public:
  /// Throws std::runtime_error when one of the servers is not there.
  explicit CpuAccount(std::vector<pid_t> servers);
  /// Until now.
  CpuUse use() const;

 private:
  std::vector<pid_t> servers_;
  // The others before the server: reading them takes a while, and is not to count.
  std::map<pid_t, std::uint64_t> others_;
  std::uint64_t busy_ = 0;
  std::uint64_t stolen_ = 0;
  std::uint64_t self_ = 0;
  std::uint64_t server_ = 0;
};

}  // namespace mayfly::bench
