// What the daemons tell their supervisor, by the sd_notify protocol: READY=1, WATCHDOG=1, STOPPING=1.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "shm/result.h"
#include "supervisor/fd.h"

namespace mayfly::supervisor {

/// One message. `pid` is the kernel's word (SCM_CREDENTIALS), not the sender's.
struct Notification {
  pid_t pid = 0;
  bool ready = false;
  bool watchdog = false;
  bool stopping = false;
};

class NotifySocket {
 public:
  /// Binds a datagram socket at `path`, mode 0600, replacing a stale one. Errors: io, invalid.
  static shm::Result<NotifySocket> open(const std::string& path);

  int fd() const { return fd_.get(); }
  /// The next message; nothing when there is none now. Never blocks. What is no message of the
  /// protocol comes out with all flags false.
  std::optional<Notification> receive();

 private:
  explicit NotifySocket(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace mayfly::supervisor
