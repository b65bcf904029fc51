// What every daemon here does around its work: start-up hardening, sockets handed over by a
// supervisor (LISTEN_FDS), news to the supervisor (NOTIFY_SOCKET), and signals on a uv loop.
#pragma once

#include <uv.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shm/result.h"

namespace mayfly {

/// Stored data must not reach a disk by a core dump, and a vanished peer must not end the program:
/// PR_SET_DUMPABLE 0, RLIMIT_CORE 0, an empty coredump_filter, SIGPIPE ignored; and what cannot go on ends
/// with a message (common/last_words.h). Call at the start of main. Errors: io.
shm::Status harden_process();

/// Raises RLIMIT_NOFILE's soft limit to its hard one and returns what is in force then.
std::uint64_t raise_file_limit();

/// Sockets handed over as LISTEN_FDS / LISTEN_PID / LISTEN_FDNAMES say. Owns those not taken.
/// Not thread-safe: for the start of main.
class HandedSockets {
 public:
  HandedSockets() = default;
  HandedSockets(HandedSockets&&) noexcept = default;
  HandedSockets& operator=(HandedSockets&&) noexcept;
  ~HandedSockets();

  /// Reads the environment and removes these variables from it. Descriptors are made close-on-exec
  /// and non-blocking. Variables meant for another process (LISTEN_PID absent or not ours) count as none.
  /// Errors: invalid (numbers or names that contradict each other, a descriptor that is not open).
  static shm::Result<HandedSockets> from_environment();

  /// The descriptors of this name, now the caller's; empty where there are none.
  std::vector<int> take(std::string_view name);
  /// Names that nobody took, for a warning.
  std::vector<std::string> left() const;

 private:
  struct Socket {
    std::string name;
    int fd;
  };
  std::vector<Socket> sockets_;
};

/// Sends READY=1, WATCHDOG=1 and so on to $NOTIFY_SOCKET (a path, or an abstract socket: `@name`).
/// Without NOTIFY_SOCKET every call does nothing. A full socket loses the message, but READY=1 is tried a
/// few times (for a tenth of a second in all), and once more with each WATCHDOG=1. Thread-safe after
/// construction.
class Notifier {
 public:
  /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and removes them from the environment.
  static Notifier from_environment();
  Notifier(Notifier&& other) noexcept;
  Notifier& operator=(Notifier&& other) noexcept;

  bool enabled() const { return !address_.empty(); }
  /// Half of WATCHDOG_USEC: how often watchdog() is due. Absent where nobody asked for it.
  std::optional<std::chrono::milliseconds> watchdog_interval() const { return watchdog_; }

  /// `status` is one line for people; it may be empty.
  void ready(std::string_view status = {}) const;
  void watchdog() const;
  void stopping() const;
  /// Any message of the protocol, such as "STATUS=…\n". False when it could not be sent.
  bool send(std::string_view message) const;

 private:
  Notifier() = default;
  std::string address_;  // a whole sockaddr_un, as bytes; empty: nobody asked
  mutable std::atomic<bool> owes_ready_{false};
  std::optional<std::chrono::milliseconds> watchdog_;
};

/// Signals as calls on a loop's thread. Close it (or destroy it, then run the loop once more)
/// before the loop is closed. SignalTrap's handles keep no loop alive.
class SignalTrap {
 public:
  using Handler = std::function<void(int signal_number)>;
  /// Errors: io.
  static shm::Result<std::unique_ptr<SignalTrap>> start(uv_loop_t* loop, std::initializer_list<int> signals,
                                                        Handler handler);
  ~SignalTrap();
  SignalTrap(const SignalTrap&) = delete;
  SignalTrap& operator=(const SignalTrap&) = delete;

 private:
  struct Shared;
  explicit SignalTrap(std::shared_ptr<Shared> shared);
  std::shared_ptr<Shared> shared_;
};

}  // namespace mayfly
