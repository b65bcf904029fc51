// Readers of relayd that open a tail and never read it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bench/hostile_flood.h"
#include "bench/hostile_stack.h"

namespace mayfly::bench {

struct TailsOutcome {
  std::size_t open = 0;       // tails that were opened and never read
  std::uint64_t written = 0;  // records, to the directory that all follow
  std::uint64_t seen = 0;     // of these, by a tail that reads
  std::uint64_t gaps = 0;     // told to it
  double bytes_per_tail = 0;  // relayd's own memory, the most that was seen
  double limit_per_tail = 0;
  Probe reads{"relayd: a status on a connection of its own"};
};

TailsOutcome run_tails(const HostileStack& stack, std::size_t count, double seconds);

}  // namespace mayfly::bench
