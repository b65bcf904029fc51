// Clocks are parameters, so that tests own time.
#pragma once

#include <cstdint>

namespace mayfly::shm {

/// Three clocks, in nanoseconds. Implementations are thread-safe and outlive every user.
class Clocks {
 public:
  virtual ~Clocks() = default;
  /// CLOCK_REALTIME: what people read. May jump.
  virtual std::uint64_t wall_ns() const = 0;
  /// CLOCK_BOOTTIME: what ages run on. Counts suspend, the same in all processes of a boot.
  virtual std::uint64_t boot_ns() const = 0;
  /// CLOCK_MONOTONIC: what heartbeats run on. Does not count suspend.
  virtual std::uint64_t mono_ns() const = 0;
};

/// The operating system's clocks. Lives for ever.
const Clocks& system_clocks();

}  // namespace mayfly::shm
