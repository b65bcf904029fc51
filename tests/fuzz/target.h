// What every fuzz target is made of. A target is one file NAME_fuzz.cpp that ends in
// MAYFLY_FUZZ_TARGET(NAME, function). It is built twice: by clang as a libFuzzer program of its own
// (./dev fuzz NAME), and by any compiler into fuzz_replay_test, which runs each input of
// tests/fuzz/corpus/NAME once. Both builds see the same function.
//
// The function must not depend on anything but its input: same bytes, same way through the program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

namespace mayfly::fuzz {

using Function = void (*)(std::string_view input);

/// All targets of this program, by name. Filled before main().
inline std::map<std::string, Function>& targets() {
  static std::map<std::string, Function> all;
  return all;
}

struct Registered {
  Registered(const char* name, Function function) { targets().emplace(name, function); }
};

/// What must hold whatever the bytes. Ends the process, so that the input is kept as a finding.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: this does not hold: %s\n", what);
  std::abort();
}

}  // namespace mayfly::fuzz

#ifdef MAYFLY_FUZZ_REPLAY
#define MAYFLY_FUZZ_TARGET(name, function) \
  static const ::mayfly::fuzz::Registered registered_##name(#name, function);
#else
#define MAYFLY_FUZZ_TARGET(name, function)                                            \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { \
    function(std::string_view(reinterpret_cast<const char*>(data), size));            \
    return 0;                                                                         \
  }
#endif
