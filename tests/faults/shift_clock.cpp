// A library for LD_PRELOAD: the clocks of a program, each moved by what the file $CLOCK_SHIFTS says at that
// moment (three 8-byte numbers of nanoseconds: wall clock, boot time, monotonic). So a test steps the wall
// clock, or lets a host "sleep" (boot time alone goes on), while everything runs. faketime moves boot time
// and monotonic time together, and a time namespace moves nothing once a process is in it.
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

struct Shifts {
  std::atomic<std::int64_t> wall, boot, mono;
};

const Shifts* shifts() {
  static const Shifts* const mapped = []() -> const Shifts* {
    const char* path = ::getenv("CLOCK_SHIFTS");
    const int fd = path == nullptr ? -1 : ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return nullptr;
    void* place = ::mmap(nullptr, sizeof(Shifts), PROT_READ, MAP_SHARED, fd, 0);
    ::close(fd);
    return place == MAP_FAILED ? nullptr : static_cast<const Shifts*>(place);
  }();
  return mapped;
}

std::int64_t shift_of(clockid_t id) {
  const Shifts* all = shifts();
  if (all == nullptr) return 0;
  switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
      return all->wall.load();
    case CLOCK_BOOTTIME:
      return all->boot.load();
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
      return all->mono.load();
    default:
      return 0;
  }
}

using RealClock = int (*)(clockid_t, timespec*);

int read_clock(clockid_t id, timespec* now) {
  static const auto real = reinterpret_cast<RealClock>(::dlsym(RTLD_NEXT, "clock_gettime"));
  const int result = real(id, now);
  if (result != 0) return result;
  const std::int64_t ns = now->tv_sec * kSecondNs + now->tv_nsec + shift_of(id);
  now->tv_sec = ns / kSecondNs;
  now->tv_nsec = ns % kSecondNs;
  return 0;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t id, timespec* now) noexcept { return read_clock(id, now); }

time_t time(time_t* result) noexcept {
  timespec now{};
  read_clock(CLOCK_REALTIME, &now);
  if (result != nullptr) *result = now.tv_sec;
  return now.tv_sec;
}

int gettimeofday(timeval* result, void*) noexcept {
  timespec now{};
  read_clock(CLOCK_REALTIME, &now);
  result->tv_sec = now.tv_sec;
  result->tv_usec = now.tv_nsec / 1000;
  return 0;
}

}  // extern "C"
