#include "tests/steps/tracee.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>

namespace mayfly::test {
namespace {

constexpr suseconds_t kAlarmUs = 50'000;
constexpr int kStuckAlarms = 20;  // a step that takes so long waits for another thread, probably

[[noreturn]] void fail(const std::string& what) {
  const std::string text = what + ": " + std::strerror(errno);
  if (errno == EPERM || errno == EACCES) throw NotPermitted(text);
  throw std::runtime_error(text);
}

void* debug_register(unsigned i) {
  return reinterpret_cast<void*>(offsetof(struct user, u_debugreg) + i * sizeof(std::uint64_t));
}

/// Enabled for stores of 8 bytes, for so many words.
std::uint64_t control_word(std::size_t words) {
  std::uint64_t control = 0;
  for (std::size_t i = 0; i < words; ++i) control |= (1ull << (2 * i)) | (0b1001ull << (16 + 4 * i));
  return control;
}

/// The child's side, until it is the program.
[[noreturn]] void become(const std::vector<std::string>& command, const std::string& log, int go) {
  char byte = 0;
  if (::read(go, &byte, 1) != 1) ::_exit(126);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ::dup2(out, STDERR_FILENO);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  std::vector<char*> arguments;
  for (const std::string& text : command) arguments.push_back(const_cast<char*>(text.c_str()));
  arguments.push_back(nullptr);
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

}  // namespace

Tracee::Tracee(const std::vector<std::string>& command, const std::string& log) {
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child, nullptr);
  signals_ = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  // Interrupts what waits, for step().
  struct sigaction on_alarm = {};
  on_alarm.sa_handler = [](int) {};
  ::sigaction(SIGALRM, &on_alarm, nullptr);
  const itimerval beat{{0, kAlarmUs}, {0, kAlarmUs}};
  ::setitimer(ITIMER_REAL, &beat, nullptr);
  int go[2];
  if (signals_ < 0 || ::pipe2(go, O_CLOEXEC) != 0) fail("signalfd, pipe");
  pid_ = ::fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) become(command, log, go[0]);
  const long options = PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE;
  if (::ptrace(PTRACE_SEIZE, pid_, nullptr, options) != 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    fail("ptrace");
  }
  threads_.push_back({pid_});
  if (::write(go[1], "g", 1) != 1) fail("write");
  ::close(go[0]);
  ::close(go[1]);
}

Tracee::~Tracee() {
  ::kill(pid_, SIGKILL);
  // The first thread is reported last.
  while (true) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, __WALL);
    if (ended < 0 && errno == EINTR) continue;
    if (ended < 0 || (ended == pid_ && (WIFEXITED(status) || WIFSIGNALED(status)))) break;
  }
  const itimerval off{};
  ::setitimer(ITIMER_REAL, &off, nullptr);
  ::close(signals_);
}

Tracee::Thread& Tracee::known(pid_t thread) {
  const auto found =
      std::find_if(threads_.begin(), threads_.end(), [&](const Thread& t) { return t.id == thread; });
  if (found != threads_.end()) return *found;
  threads_.push_back({thread});
  return threads_.back();
}

std::optional<Tracee::Hit> Tracee::next() {
  signalfd_siginfo ignored[8];
  while (::read(signals_, ignored, sizeof ignored) > 0) {
  }
  while (true) {
    int status = 0;
    const pid_t thread = ::waitpid(-1, &status, __WALL | WNOHANG);
    if (thread < 0) fail("waitpid");
    if (thread == 0) return std::nullopt;
    if (auto hit = serve(thread, status)) return hit;
  }
}

std::optional<Tracee::Hit> Tracee::serve(pid_t thread, int status) {
  if (!WIFSTOPPED(status)) {
    if (thread == pid_) throw std::runtime_error("the program ended");
    std::erase_if(threads_, [&](const Thread& t) { return t.id == thread; });
    return std::nullopt;
  }
  Thread& its = known(thread);
  its.stopped = true;
  const int event = status >> 16;
  int signal = event == 0 ? WSTOPSIG(status) : 0;
  if (signal == SIGTRAP) {
    signal = 0;
    const auto hits =
        static_cast<std::uint64_t>(::ptrace(PTRACE_PEEKUSER, thread, debug_register(6), nullptr)) & 0xf;
    ::ptrace(PTRACE_POKEUSER, thread, debug_register(6), nullptr);
    for (unsigned i = 0; i < watched_.size(); ++i) {
      if ((hits >> i & 1) != 0) return Hit{thread, i};
    }
  }
  if (its.wanted_stopped && signal == 0) return std::nullopt;
  its.stopped = false;
  ::ptrace(PTRACE_CONT, thread, nullptr, signal);
  return std::nullopt;
}

void Tracee::stop(Thread& thread) {
  if (thread.stopped) return;
  thread.wanted_stopped = true;
  if (::ptrace(PTRACE_INTERRUPT, thread.id, nullptr, nullptr) != 0) fail("PTRACE_INTERRUPT");
  int status = 0;
  while (::waitpid(thread.id, &status, __WALL) < 0) {
    if (errno != EINTR) fail("waitpid for a thread to stop");
  }
  if (!WIFSTOPPED(status)) throw std::runtime_error("a thread ended");
  // A signal that came first waits for the thread to go on; the interrupt is then reported again.
  thread.stopped = true;
}

void Tracee::watch(const std::vector<std::uint64_t>& addresses) {
  watched_ = addresses;
  for (Thread& thread : threads_) stop(thread);
  for (Thread& thread : threads_) {
    for (unsigned i = 0; i < watched_.size(); ++i) {
      if (::ptrace(PTRACE_POKEUSER, thread.id, debug_register(i), watched_[i]) != 0) fail("debug registers");
    }
    if (::ptrace(PTRACE_POKEUSER, thread.id, debug_register(7), control_word(watched_.size())) != 0) {
      fail("debug registers");
    }
  }
  for (const Thread& thread : std::vector<Thread>(threads_)) resume(thread.id);
}

user_regs_struct Tracee::registers(pid_t thread) const {
  user_regs_struct regs{};
  if (::ptrace(PTRACE_GETREGS, thread, nullptr, &regs) != 0) fail("PTRACE_GETREGS");
  return regs;
}

void Tracee::peek(std::uint64_t address, std::uint8_t* to, std::size_t bytes) const {
  for (std::size_t done = 0; done < bytes; done += sizeof(long)) {
    errno = 0;
    const long word = ::ptrace(PTRACE_PEEKTEXT, pid_, address + done, nullptr);
    if (errno != 0) {
      if (done > 0) return;  // the end of a mapping
      fail("PTRACE_PEEKTEXT");
    }
    std::memcpy(to + done, &word, std::min(sizeof word, bytes - done));
  }
}

bool Tracee::step(pid_t thread) {
  if (::ptrace(PTRACE_SINGLESTEP, thread, nullptr, nullptr) != 0) fail("PTRACE_SINGLESTEP");
  int status = 0;
  int alarms = 0;
  while (::waitpid(thread, &status, __WALL) != thread) {
    if (errno != EINTR) fail("waitpid for a step");
    if (++alarms == kStuckAlarms) resume_others(thread);
  }
  const bool others_run = alarms >= kStuckAlarms;
  if (!WIFSTOPPED(status)) throw std::runtime_error("the program ended in a step");
  ::ptrace(PTRACE_POKEUSER, thread, debug_register(6), nullptr);
  if (others_run) stop_others(thread);
  known(thread).stopped = true;
  return others_run;
}

void Tracee::stop_others(pid_t thread) {
  for (Thread& other : threads_) {
    if (other.id != thread) stop(other);
  }
}

void Tracee::resume_others(pid_t thread) {
  for (const Thread& other : std::vector<Thread>(threads_)) {
    if (other.id != thread) resume(other.id);
  }
}

void Tracee::resume(pid_t thread) {
  Thread& its = known(thread);
  its.wanted_stopped = false;
  if (!its.stopped) return;
  its.stopped = false;
  ::ptrace(PTRACE_CONT, thread, nullptr, nullptr);
}

std::uint64_t Tracee::address_of(const std::string& path) const {
  std::ifstream maps("/proc/" + std::to_string(pid_) + "/maps");
  std::string line;
  while (std::getline(maps, line)) {
    if (line.size() > path.size() && line.ends_with(path)) return std::stoull(line, nullptr, 16);
  }
  throw std::runtime_error(path + " is not mapped");
}

}  // namespace mayfly::test
