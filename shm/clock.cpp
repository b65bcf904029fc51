#include "shm/clock.h"

#include <ctime>

namespace mayfly::shm {
namespace {

std::uint64_t read_clock(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000ull + static_cast<std::uint64_t>(now.tv_nsec);
}

class SystemClocks final : public Clocks {
 public:
  std::uint64_t wall_ns() const override { return read_clock(CLOCK_REALTIME); }
  std::uint64_t boot_ns() const override { return read_clock(CLOCK_BOOTTIME); }
  std::uint64_t mono_ns() const override { return read_clock(CLOCK_MONOTONIC); }
};

}  // namespace

const Clocks& system_clocks() {
  static const SystemClocks clocks;
  return clocks;
}

}  // namespace mayfly::shm
