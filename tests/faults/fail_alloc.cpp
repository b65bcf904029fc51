// A library for LD_PRELOAD: fails the Nth allocation of one program (malloc, and with it operator new,
// calloc, realloc and the aligned ones). $FAIL_STATE is the shared file; $FAIL_PROGRAM the only program
// that is meant, so that what it starts is left alone.
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>

#include "tests/faults/fail_state.h"

extern "C" {
// The C library's own names for what is wrapped here.
void* __libc_malloc(size_t bytes);                  // NOLINT
void* __libc_calloc(size_t count, size_t bytes);    // NOLINT
void* __libc_realloc(void* block, size_t bytes);    // NOLINT
void* __libc_memalign(size_t align, size_t bytes);  // NOLINT
}

namespace {

mayfly::faults::FailState* state = nullptr;
thread_local bool inside = false;
bool in_main = false;

// "program+0x1234" for each caller, to be read with addr2line.
void note_stack() {
  constexpr int kFrames = 40;
  void* frames[kFrames];
  const int count = ::backtrace(frames, kFrames);
  std::size_t used = 0;
  for (int i = 2; i < count; ++i) {
    Dl_info info{};
    if (::dladdr(frames[i], &info) == 0 || info.dli_fname == nullptr) continue;
    const char* slash = ::strrchr(info.dli_fname, '/');
    const auto offset = static_cast<char*>(frames[i]) - static_cast<char*>(info.dli_fbase);
    const int wrote =
        std::snprintf(state->where + used, mayfly::faults::kTextBytes - used, "%s+0x%zx %s\n",
                      slash == nullptr ? info.dli_fname : slash + 1, static_cast<std::size_t>(offset),
                      info.dli_sname == nullptr ? "" : info.dli_sname);
    if (wrote < 0 || used + static_cast<std::size_t>(wrote) >= mayfly::faults::kTextBytes) return;
    used += static_cast<std::size_t>(wrote);
  }
}

bool fails() {
  if (state == nullptr || !in_main || inside || state->armed.load(std::memory_order_relaxed) == 0)
    return false;
  const std::uint64_t number = state->count.fetch_add(1) + 1;
  if (number != state->target.load(std::memory_order_relaxed)) return false;
  inside = true;
  note_stack();
  inside = false;
  state->fired.store(1);
  return true;
}

__attribute__((constructor)) void begin() {
  const char* path = ::getenv("FAIL_STATE");
  const char* program = ::getenv("FAIL_PROGRAM");
  if (path == nullptr || program == nullptr || ::strcmp(program, program_invocation_short_name) != 0) return;
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* place = ::mmap(nullptr, sizeof(mayfly::faults::FailState), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (place == MAP_FAILED) return;
  void* warm[2];
  ::backtrace(warm, 2);  // its first call allocates
  state = static_cast<mayfly::faults::FailState*>(place);
  state->pid.store(::getpid());
}

using Main = int (*)(int, char**, char**);
Main real_main = nullptr;

// What fails before main (constructors of libraries) is not ours.
int counted_main(int argc, char** argv, char** env) {
  in_main = true;
  return real_main(argc, argv, env);
}

void* refuse() {
  errno = ENOMEM;
  return nullptr;
}

}  // namespace

extern "C" {

int __libc_start_main(Main main, int argc, char** argv, void (*init)(), void (*fini)(),
                      void (*rtld_fini)(),  // NOLINT
                      void* stack_end) {
  using Start = int (*)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);
  const auto real = reinterpret_cast<Start>(::dlsym(RTLD_NEXT, "__libc_start_main"));
  real_main = main;
  return real(counted_main, argc, argv, init, fini, rtld_fini, stack_end);
}

void* malloc(size_t bytes) { return fails() ? refuse() : __libc_malloc(bytes); }
void* calloc(size_t count, size_t bytes) { return fails() ? refuse() : __libc_calloc(count, bytes); }
void* realloc(void* block, size_t bytes) { return fails() ? refuse() : __libc_realloc(block, bytes); }
void* memalign(size_t align, size_t bytes) { return fails() ? refuse() : __libc_memalign(align, bytes); }
void* aligned_alloc(size_t align, size_t bytes) { return fails() ? refuse() : __libc_memalign(align, bytes); }
int posix_memalign(void** block, size_t align, size_t bytes) {
  void* got = fails() ? nullptr : __libc_memalign(align, bytes);
  if (got == nullptr) return ENOMEM;
  *block = got;
  return 0;
}

}  // extern "C"
