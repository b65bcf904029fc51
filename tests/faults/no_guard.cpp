// A library for LD_PRELOAD: takes from a program the two guards that stop a core altogether (RLIMIT_CORE 0
// and PR_SET_DUMPABLE 0), so that a test sees what would be in one: the guards behind them.
#include <dlfcn.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace {

using RealLimit = int (*)(__rlimit_resource_t, const rlimit*);
using RealPrctl = int (*)(int, ...);

}  // namespace

extern "C" {

int setrlimit(__rlimit_resource_t resource, const rlimit* limit) noexcept {
  static const auto real = reinterpret_cast<RealLimit>(::dlsym(RTLD_NEXT, "setrlimit"));
  return resource == RLIMIT_CORE ? 0 : real(resource, limit);
}

int setrlimit64(__rlimit_resource_t resource, const rlimit64* limit) noexcept {
  return setrlimit(resource, reinterpret_cast<const rlimit*>(limit));
}

int prctl(int option, ...) noexcept {
  static const auto real = reinterpret_cast<RealPrctl>(::dlsym(RTLD_NEXT, "prctl"));
  if (option == PR_SET_DUMPABLE) return 0;
  va_list list;
  va_start(list, option);
  unsigned long rest[4];
  for (unsigned long& argument : rest) argument = va_arg(list, unsigned long);
  va_end(list);
  return real(option, rest[0], rest[1], rest[2], rest[3]);
}

}  // extern "C"
