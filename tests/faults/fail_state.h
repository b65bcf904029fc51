// What the test driver (faults.py), the tracer (fail_syscall) and the preloaded library (fail_alloc)
// share: one file, mapped by all three. The layout is repeated in faults.py.
#pragma once

#include <atomic>
#include <cstdint>

namespace mayfly::faults {

constexpr std::uint64_t kLogSlots = 1 << 17;
constexpr std::uint64_t kTextBytes = 4096;

/// A call that was seen: the system call's number, and of reads and writes what the descriptor is.
struct SeenCall {
  std::uint16_t number;
  char kind;  // 's' socket, 'f' file, 'p' pipe, 'e' anything else; 'w' a wait for a futex; 0: none of these
  char unused;
};

struct FailState {
  std::atomic<std::uint64_t> armed;  // by the driver: calls count
  std::atomic<std::uint64_t>
      target;  // by the driver: the call to fail, from 1, or the next of its like; 0: none
  std::atomic<std::int64_t> number;  // by the driver: of the system call meant; -1: any
  std::atomic<std::int64_t> kind;    // by the driver: its SeenCall::kind
  std::atomic<std::int64_t> how;     // by the driver: an errno, or -1: shorten it to one byte
  std::atomic<std::uint64_t> count;  // calls seen while armed
  std::atomic<std::uint64_t> fired;  // 1 once the call was failed
  std::atomic<std::int64_t> pid;     // of the program, while the tracer runs it
  std::atomic<std::int64_t> status;  // of its end, as waitpid() gives it; -1 before
  char where[kTextBytes];            // the stack of the allocation that was failed
  SeenCall log[kLogSlots];           // what was counted
};

}  // namespace mayfly::faults
