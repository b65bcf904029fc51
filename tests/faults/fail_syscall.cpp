// fail_syscall STATE PROGRAM [ARGUMENT...]: runs a program, counts the system calls of all its threads
// while the shared file says so, and fails the Nth: the kernel never sees it, the program gets the error;
// or it is shortened to one byte. strace can inject errors too, but counts for each thread, from exec on,
// and shortens nothing.
//
// Counting begins when the dynamic loader has done (its munmap of the cache of libraries): what the loader
// does when a call fails is not ours. Processes that the program starts are left alone.
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>

#include "tests/faults/fail_state.h"

namespace mayfly::faults {
namespace {

constexpr int kFailed = 125;
constexpr int kSysStop = SIGTRAP | 0x80;

struct Thread {
  bool known = false;
  long error = 0;  // to be returned by the call that runs now
};

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "fail_syscall: %s: %s\n", what, std::strerror(errno));
  std::exit(kFailed);
}

FailState* map_state(const char* path) {
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) give_up(path);
  void* place = ::mmap(nullptr, sizeof(FailState), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (place == MAP_FAILED) give_up("mmap");
  ::close(fd);
  return static_cast<FailState*>(place);
}

[[noreturn]] void become(char** arguments) {
  // Sockets handed over are meant for the program itself.
  if (::getenv("LISTEN_FDS") != nullptr) {
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  }
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) give_up("PTRACE_TRACEME");
  ::raise(SIGSTOP);
  ::execvp(arguments[0], arguments);
  give_up(arguments[0]);
}

// FUTEX_WAIT and the like. The kernel has no error for a wake of a word that is there.
bool waits_for_futex(std::uint64_t operation) {
  const std::uint64_t command = operation & FUTEX_CMD_MASK;
  return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET;
}

bool takes_descriptor(std::uint64_t number) {
  switch (number) {
    case SYS_read:
    case SYS_write:
    case SYS_readv:
    case SYS_writev:
    case SYS_pread64:
    case SYS_pwrite64:
    case SYS_recvfrom:
    case SYS_sendto:
    case SYS_recvmsg:
    case SYS_sendmsg:
      return true;
    default:
      return false;
  }
}

class Tracer {
 public:
  Tracer(FailState& state, pid_t leader) : state_(state), leader_(leader) {}

  void run() {
    constexpr long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    if (::ptrace(PTRACE_SETOPTIONS, leader_, nullptr, kOptions) != 0) give_up("PTRACE_SETOPTIONS");
    threads_[leader_].known = true;
    resume(leader_, 0);
    while (true) {
      int status = 0;
      const pid_t thread = ::waitpid(-1, &status, __WALL);
      if (thread < 0 && errno == EINTR) continue;
      if (thread < 0) give_up("waitpid");
      if (WIFEXITED(status) || WIFSIGNALED(status)) {
        threads_.erase(thread);
        if (thread == leader_) return finish(status);
        continue;
      }
      stopped(thread, status);
    }
  }

 private:
  static void resume(pid_t thread, int signal_number) {
    // A thread that was killed meanwhile is reported by waitpid.
    ::ptrace(PTRACE_SYSCALL, thread, nullptr, static_cast<long>(signal_number));
  }

  void finish(int status) {
    state_.status.store(status);
    std::exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }

  void stopped(pid_t id, int status) {
    Thread& thread = threads_[id];
    const int number = WSTOPSIG(status);
    if (number == kSysStop) {
      __ptrace_syscall_info info{};
      ::ptrace(PTRACE_GET_SYSCALL_INFO, id, sizeof info, &info);
      if (info.op == PTRACE_SYSCALL_INFO_ENTRY) enters(id, thread);
      if (info.op == PTRACE_SYSCALL_INFO_EXIT) leaves(id, thread);
      return resume(id, 0);
    }
    const bool is_event = status >> 16 != 0;
    const bool is_birth = !thread.known && number == SIGSTOP;
    const bool is_exec = !exec_seen_ && number == SIGTRAP;
    thread.known = true;
    if (is_exec) exec_seen_ = true;
    resume(id, is_event || is_birth || is_exec ? 0 : number);
  }

  void enters(pid_t id, Thread& thread) {
    user_regs_struct regs{};
    if (::ptrace(PTRACE_GETREGS, id, nullptr, &regs) != 0) return;
    const auto number = static_cast<std::uint64_t>(regs.orig_rax);
    if (!loaded_) {
      loaded_ = exec_seen_ && number == SYS_munmap;
      return;
    }
    if (number == SYS_rt_sigreturn || state_.armed.load() == 0) return;
    const std::uint64_t count = state_.count.fetch_add(1) + 1;
    const char kind = kind_of(number, regs);
    if (count <= kLogSlots) state_.log[count - 1] = {static_cast<std::uint16_t>(number), kind, '\0'};
    // Threads do not run in the same order each time: an error goes to the kind of call it is an error of.
    const std::int64_t meant = state_.number.load();
    const bool fits = meant < 0 || (static_cast<std::int64_t>(number) == meant && kind == state_.kind.load());
    const std::uint64_t target = state_.target.load();
    if (target != 0 && count >= target && fits && state_.fired.load() == 0) fail(id, thread, regs);
  }

  void fail(pid_t id, Thread& thread, user_regs_struct& regs) {
    const std::int64_t how = state_.how.load();
    if (how == ECONNRESET || how == EPIPE) break_off(static_cast<int>(regs.rdi));
    if (how > 0) {
      thread.error = how;
      regs.orig_rax = ~0ull;  // no such call: the kernel does nothing
    } else {
      regs.rdx = 1;  // bytes, or parts of a vector
    }
    if (::ptrace(PTRACE_SETREGS, id, nullptr, &regs) == 0) state_.fired.store(1);
  }

  // Whoever is told that a connection is gone has a peer that is told so too.
  void break_off(int fd) const {
    const int process = static_cast<int>(::syscall(SYS_pidfd_open, leader_, 0));
    const int copy = static_cast<int>(::syscall(SYS_pidfd_getfd, process, fd, 0));
    if (copy >= 0) {
      ::shutdown(copy, SHUT_RDWR);
      ::close(copy);
    }
    if (process >= 0) ::close(process);
  }

  void leaves(pid_t id, Thread& thread) {
    if (thread.error == 0) return;
    user_regs_struct regs{};
    if (::ptrace(PTRACE_GETREGS, id, nullptr, &regs) != 0) return;
    regs.rax = static_cast<unsigned long long>(-thread.error);
    thread.error = 0;
    ::ptrace(PTRACE_SETREGS, id, nullptr, &regs);
  }

  char kind_of(std::uint64_t number, const user_regs_struct& regs) const {
    if (number == SYS_futex) return waits_for_futex(regs.rsi) ? 'w' : '\0';
    return takes_descriptor(number) ? fd_kind(regs.rdi) : '\0';
  }

  char fd_kind(std::uint64_t fd) const {
    const std::string path = "/proc/" + std::to_string(leader_) + "/fd/" + std::to_string(fd);
    char target[64] = {};
    const ssize_t length = ::readlink(path.c_str(), target, sizeof target - 1);
    if (length < 0) return 'e';
    if (std::strncmp(target, "socket:", 7) == 0) return 's';
    if (std::strncmp(target, "pipe:", 5) == 0) return 'p';
    return target[0] == '/' ? 'f' : 'e';
  }

  FailState& state_;
  pid_t leader_;
  bool exec_seen_ = false;
  bool loaded_ = false;
  std::unordered_map<pid_t, Thread> threads_;
};

int main_with(char** arguments) {
  FailState* state = map_state(arguments[0]);
  const pid_t leader = ::fork();
  if (leader < 0) give_up("fork");
  if (leader == 0) become(arguments + 1);
  int status = 0;
  if (::waitpid(leader, &status, __WALL) != leader || !WIFSTOPPED(status)) give_up("starting");
  state->pid.store(leader);
  Tracer(*state, leader).run();
  return kFailed;
}

}  // namespace
}  // namespace mayfly::faults

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: fail_syscall STATE PROGRAM [ARGUMENT...]\n", stderr);
    return 2;
  }
  return mayfly::faults::main_with(argv + 1);
}
