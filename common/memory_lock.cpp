#include "common/memory_lock.h"

#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cerrno>

#include "common/runtime_dir.h"
#include "shm/segment_file.h"

namespace mayfly {

using shm::Errc;
using shm::Error;
using shm::Status;

namespace {

constexpr int kEverything = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;

// Sets the soft limit to `soft` for the life of this object.
class SoftLimit {
 public:
  explicit SoftLimit(rlim_t soft) {
    if (::getrlimit(RLIMIT_MEMLOCK, &before_) != 0) return;
    const rlimit wanted{soft, before_.rlim_max};
    changed_ = ::setrlimit(RLIMIT_MEMLOCK, &wanted) == 0;
  }
  ~SoftLimit() {
    if (changed_) ::setrlimit(RLIMIT_MEMLOCK, &before_);
  }
  SoftLimit(const SoftLimit&) = delete;
  SoftLimit& operator=(const SoftLimit&) = delete;
  bool changed() const { return changed_; }

 private:
  rlimit before_{};
  bool changed_ = false;
};

bool raise_to_unlimited() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_max != RLIM_INFINITY) return false;
  limit.rlim_cur = RLIM_INFINITY;
  return ::setrlimit(RLIMIT_MEMLOCK, &limit) == 0;
}

// 0 or an errno. Under a limit of 0 nothing but the privilege helps: so it is found out whether we have
// it, in whatever user namespace this is, and a limit that would be reached later is not taken for enough.
int try_to_lock() {
  if (raise_to_unlimited()) return ::mlockall(kEverything) == 0 ? 0 : errno;
  const SoftLimit none(0);
  if (!none.changed()) return EPERM;
  return ::mlockall(kEverything) == 0 ? 0 : errno;
}

std::string obstacle_text() {
  rlimit limit{};
  ::getrlimit(RLIMIT_MEMLOCK, &limit);
  return "memory may not be locked without a limit (at most " + std::to_string(limit.rlim_max) +
         " bytes): set LimitMEMLOCK=infinity or `ulimit -Hl unlimited`, or give CAP_IPC_LOCK";
}

}  // namespace

shm::Result<MemoryLock> parse_memory_lock(std::string_view text) {
  if (text == "auto") return MemoryLock::automatic;
  if (text == "off") return MemoryLock::off;
  if (text == "require") return MemoryLock::required;
  return Error{Errc::invalid, "not one of auto, off, require: " + std::string(text)};
}

Status lock_memory(MemoryLock wanted) {
  if (wanted == MemoryLock::off) return {};
  const int failed = try_to_lock();
  shm::keep_segments_locked(failed == 0 && swap_active());
  if (failed == 0) return {};
  const std::string why = obstacle_text();
  if (wanted == MemoryLock::required) return shm::os_error(Errc::io, why, failed);
  if (swap_active()) spdlog::warn("swap is in use, and buffers may reach it: {}", why);
  return {};
}

std::string memory_lock_obstacle() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_max == RLIM_INFINITY) return {};
  // One page, under a limit of 0: only the privilege lets it pass.
  static char probe[1];
  const SoftLimit none(0);
  if (!none.changed() || ::mlock(probe, sizeof probe) != 0) return obstacle_text();
  ::munlock(probe, sizeof probe);
  return {};
}

}  // namespace mayfly
