#include "common/last_words.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <new>

namespace mayfly {
namespace {

constexpr int kFailed = 1;

// Only write(): safe in a signal handler, and where there is no memory to be had.
void say(const char* text) {
  for (std::size_t left = std::strlen(text); left > 0;) {
    const ssize_t wrote = ::write(STDERR_FILENO, text, left);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return;
    text += wrote;
    left -= static_cast<std::size_t>(wrote);
  }
}

[[noreturn]] void end_with(const char* why, const char* more = "") {
  say(program_invocation_short_name);
  say(": ");
  say(why);
  say(more);
  say("; ending\n");
  ::_exit(kFailed);
}

[[noreturn]] void out_of_memory() { end_with("out of memory"); }

[[noreturn]] void uncaught() {
  if (const std::exception_ptr current = std::current_exception()) {
    try {
      std::rethrow_exception(current);
    } catch (const std::exception& error) {
      end_with("unexpected: ", error.what());
    } catch (...) {
      end_with("unexpected: an exception without a text");
    }
  }
  end_with("unexpected: terminated");
}

// libuv and others abort where the kernel refuses what they cannot do without.
void aborted(int) { end_with("aborted: the kernel refused something, or a check failed, in a library"); }

}  // namespace

void install_last_words() {
  std::set_new_handler(out_of_memory);
  std::set_terminate(uncaught);
  struct sigaction action = {};
  action.sa_handler = aborted;
  ::sigaction(SIGABRT, &action, nullptr);
}

}  // namespace mayfly
