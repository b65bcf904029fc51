#include "supervisor/pidfd.h"

#include <poll.h>

namespace mayfly::supervisor {

bool ended_within(const Fd& process, std::chrono::milliseconds limit) {
  pollfd ended{process.get(), POLLIN, 0};
  return ::poll(&ended, 1, static_cast<int>(limit.count())) == 1;
}

}  // namespace mayfly::supervisor
