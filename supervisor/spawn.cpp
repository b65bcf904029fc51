#include "supervisor/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

#include "supervisor/pidfd.h"

namespace mayfly::supervisor {

using shm::Errc;
using shm::os_error;
using shm::Result;

namespace {

constexpr int kFirstListenFd = 3;
constexpr int kHighFd = 64;  // above every descriptor that is handed over
constexpr std::size_t kPidDigits = 10;
constexpr const char* kOwnVariables[] = {
    "LISTEN_FDS=", "LISTEN_PID=", "LISTEN_FDNAMES=", "NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID="};

// Everything the child needs, made before the fork: after it only system calls are safe.
struct Prepared {
  std::vector<std::string> argument_texts;
  std::vector<std::string> environment_texts;
  std::vector<char*> arguments;
  std::vector<char*> environment;
  char* pid_digits = nullptr;  // within environment_texts, kPidDigits long
  std::vector<Fd> sockets;     // duplicates, from kHighFd on
  pid_t parent = 0;
};

bool is_own_variable(const char* variable) {
  for (const char* name : kOwnVariables) {
    if (std::strncmp(variable, name, std::strlen(name)) == 0) return true;
  }
  return false;
}

void prepare_environment(const SpawnRequest& request, Prepared& prepared) {
  auto& texts = prepared.environment_texts;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!is_own_variable(*variable)) texts.emplace_back(*variable);
  }
  for (const auto& [name, value] : request.environment) texts.push_back(name + "=" + value);
  if (request.sockets.empty()) return;
  std::string names;
  for (const auto& [name, fd] : request.sockets) names += (names.empty() ? "" : ":") + name;
  texts.push_back("LISTEN_FDS=" + std::to_string(request.sockets.size()));
  texts.push_back("LISTEN_FDNAMES=" + names);
  texts.push_back("LISTEN_PID=" + std::string(kPidDigits, '0'));
}

Result<Prepared> prepare(const SpawnRequest& request) {
  Prepared prepared;
  prepared.parent = ::getpid();
  prepared.argument_texts.push_back(request.path);
  std::copy(request.arguments.begin(), request.arguments.end(), std::back_inserter(prepared.argument_texts));
  prepare_environment(request, prepared);
  for (auto& text : prepared.argument_texts) prepared.arguments.push_back(text.data());
  for (auto& text : prepared.environment_texts) prepared.environment.push_back(text.data());
  if (!request.sockets.empty()) {
    prepared.pid_digits = prepared.environment.back() + std::strlen("LISTEN_PID=");
  }
  prepared.arguments.push_back(nullptr);
  prepared.environment.push_back(nullptr);
  for (const auto& [name, fd] : request.sockets) {
    Fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, kHighFd));
    if (!copy) return os_error(Errc::io, "duplicating the socket " + name, errno);
    prepared.sockets.push_back(std::move(copy));
  }
  return prepared;
}

[[noreturn]] void give_up(int report) {
  const int error = errno;
  // Nothing can be done about a failure to report; the parent sees the exit status.
  if (::write(report, &error, sizeof error) != sizeof error) ::_exit(126);
  ::_exit(127);
}

void default_signals() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &action, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Decimal, ended by NUL; `digits` has room for kPidDigits and its own NUL.
void write_pid(char* digits, pid_t pid) {
  char reversed[kPidDigits];
  std::size_t count = 0;
  for (; pid > 0 && count < kPidDigits; pid /= 10) reversed[count++] = static_cast<char>('0' + pid % 10);
  for (std::size_t i = 0; i < count; ++i) digits[i] = reversed[count - 1 - i];
  digits[count] = '\0';
}

[[noreturn]] void run_child(Prepared& prepared, int report) {
  ::setpgid(0, 0);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up(report);
  if (::getppid() != prepared.parent) ::_exit(126);  // it died before the line above
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0 || ::dup2(null, STDIN_FILENO) < 0) give_up(report);
  if (::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) give_up(report);
  // `report` lies above kHighFd too, so nothing that is still needed is overwritten.
  int target = kFirstListenFd;
  for (const auto& socket : prepared.sockets) {
    if (::dup2(socket.get(), target++) < 0) give_up(report);
  }
  if (prepared.pid_digits != nullptr) write_pid(prepared.pid_digits, ::getpid());
  default_signals();
  ::execve(prepared.arguments[0], prepared.arguments.data(), prepared.environment.data());
  give_up(report);
}

// What the child wrote before its end, or 0 when the pipe closed by a successful exec.
int read_report(const Fd& pipe) {
  int error = 0;
  ssize_t n = 0;
  do {
    n = ::read(pipe.get(), &error, sizeof error);
  } while (n < 0 && errno == EINTR);
  return n == sizeof error ? error : 0;
}

}  // namespace

Result<Spawned> spawn(const SpawnRequest& request) {
  auto prepared = prepare(request);
  if (!prepared) return prepared.error();
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return os_error(Errc::io, "making a pipe", errno);
  const Fd read_end(ends[0]);
  Fd low_write_end(ends[1]);
  Fd write_end(::fcntl(low_write_end.get(), F_DUPFD_CLOEXEC, kHighFd));
  low_write_end.reset();
  if (!write_end) return os_error(Errc::io, "duplicating a pipe", errno);

  // A signal between fork and exec must not run the parent's handlers in the child.
  sigset_t all, before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  if (pid == 0) run_child(prepared.value(), write_end.get());
  const int fork_errno = errno;
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return os_error(Errc::io, "forking for " + request.path, fork_errno);
  write_end.reset();

  if (const int error = read_report(read_end); error != 0) {
    ::waitpid(pid, nullptr, 0);
    return os_error(Errc::io, "starting " + request.path, error);
  }
  Fd pidfd = open_process(pid);
  if (!pidfd) {
    const int error = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return os_error(Errc::io, "watching " + request.path, error);
  }
  return Spawned{pid, std::move(pidfd)};
}

unsigned long long start_ticks(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return 0;
  // The name, second field, may hold anything; fields are counted from the last parenthesis.
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string field;
  for (int i = 3; i <= 22 && fields >> field; ++i) {
    if (i == 22) return std::stoull(field);
  }
  return 0;
}

}  // namespace mayfly::supervisor
