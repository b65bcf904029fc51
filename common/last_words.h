// What a program says when it cannot go on: out of memory, an exception that nobody caught, a library
// that aborts. Records are safe in their segment and whoever started us starts us anew, so the end is
// at once, with one clear line on standard error and exit code 1, and never by half.
#pragma once

namespace mayfly {

/// From here on, in every thread: an allocation that fails (operator new), an uncaught exception and
/// SIGABRT write "PROGRAM: why" to standard error and end the process by _exit(1). Nothing is unwound:
/// an exception must not pass through a C library's frames. Call at the start of main.
void install_last_words();

}  // namespace mayfly
