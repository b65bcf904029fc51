#include "cli/read_secret.h"

#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "common/password_hash.h"

namespace mayfly::cli {
namespace {

using shm::Errc;
using shm::Error;
using shm::Result;

/// No echo on the terminal of standard input, and no signals from its keys, as long as this lives:
/// Ctrl-C would otherwise leave it without echo.
class SilentTerminal {
 public:
  SilentTerminal() : silent_(tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!silent_) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
    silent_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
  }
  ~SilentTerminal() {
    if (silent_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;
  bool silent() const { return silent_; }

 private:
  termios before_{};
  bool silent_;
};

Result<std::string> read_one_line() {
  std::string line;
  char c = 0;
  for (;;) {
    const ssize_t size = read(STDIN_FILENO, &c, 1);  // one by one: what follows is not ours
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return shm::os_error(Errc::io, "reading standard input", errno);
    if (size == 0 || c == '\n') break;
    if (c == '\x03') return Error{Errc::invalid, "given up"};
    line += c;
    if (line.size() > kMaxPasswordBytes) return Error{Errc::invalid, "longer than a password may be"};
  }
  if (!line.empty() && line.back() == '\r') line.pop_back();
  if (line.empty()) return Error{Errc::invalid, "standard input has no password on its first line"};
  return line;
}

Result<std::string> ask(const std::string& prompt) {
  std::fprintf(stderr, "%s: ", prompt.c_str());
  Result<std::string> answer = read_one_line();
  std::fputc('\n', stderr);
  return answer;
}

}  // namespace

Result<std::string> read_secret(const std::string& prompt) {
  if (isatty(STDIN_FILENO) == 0) return read_one_line();
  const SilentTerminal terminal;
  if (!terminal.silent()) return Error{Errc::io, "this terminal shows what is typed"};
  Result<std::string> first = ask(prompt);
  if (!first.ok()) return first;
  Result<std::string> second = ask(prompt + " once more");
  if (!second.ok()) return second;
  const bool same = first.value() == second.value();
  wipe(second.value());
  if (!same) return Error{Errc::invalid, "the two are not the same"};
  return first;
}

}  // namespace mayfly::cli
