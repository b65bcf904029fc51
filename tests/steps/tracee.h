// A program under ptrace: its threads, watched words, single steps.
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace mayfly::test {

/// Tracing is not allowed here.
struct NotPermitted : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Errors are thrown as std::runtime_error. One at a time in a process: it takes SIGCHLD.
class Tracee {
 public:
  /// Starts the program; its standard error goes to `log`.
  Tracee(const std::vector<std::string>& command, const std::string& log);
  /// Kills it.
  ~Tracee();
  Tracee(const Tracee&) = delete;
  Tracee& operator=(const Tracee&) = delete;

  pid_t pid() const { return pid_; }
  /// Readable when next() may have something.
  int event_fd() const { return signals_; }

  /// A thread stored to a watched word, and stands behind that instruction.
  struct Hit {
    pid_t thread;
    unsigned word;  // index into what watch() was given
  };
  /// Serves all that is waiting to be served. Throws when the program has ended.
  std::optional<Hit> next();
  /// Up to four words of 8 bytes. Every thread there is stops for a moment.
  void watch(const std::vector<std::uint64_t>& addresses);

  user_regs_struct registers(pid_t thread) const;
  /// Reads words from the program's memory.
  void peek(std::uint64_t address, std::uint8_t* to, std::size_t bytes) const;
  /// One instruction. Where it waits for another thread, the others run meanwhile: true then.
  bool step(pid_t thread);
  void stop_others(pid_t thread);
  void resume_others(pid_t thread);
  void resume(pid_t thread);

  /// Where a file is mapped: the start of its first mapping.
  std::uint64_t address_of(const std::string& path) const;

 private:
  struct Thread {
    pid_t id;
    bool stopped = false;
    bool wanted_stopped = false;
  };
  Thread& known(pid_t thread);
  void stop(Thread& thread);
  std::optional<Hit> serve(pid_t thread, int status);

  pid_t pid_ = -1;
  int signals_ = -1;
  std::vector<Thread> threads_;
  std::vector<std::uint64_t> watched_;
};

}  // namespace mayfly::test
