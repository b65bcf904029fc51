// The only way to touch shared memory: naturally aligned 8-byte words, with the memory order in
// the name. What is published is stored with release, what is read is loaded with acquire.
//
// Built with MAYFLY_STORE_HOOK (the crash tests), every store reports itself afterwards: the
// tests then look at the segment as a kill -9 at that instruction would have left it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

// For what every record goes through: inlined whatever the compiler thinks of it. Where coverage is
// counted it is a function, counted once and not in every place that it is inlined into.
#ifdef MAYFLY_COVERAGE
#define MAYFLY_HOT inline
#else
#define MAYFLY_HOT [[gnu::always_inline]] inline
#endif

namespace mayfly::shm {

using Word = std::uint64_t;
static_assert(__atomic_always_lock_free(sizeof(Word), nullptr), "shared words must be lock-free");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the segment format is little-endian");

#ifdef MAYFLY_STORE_HOOK
#define MAYFLY_SITE , StoreSite site = StoreSite::here()
#define MAYFLY_PASS_SITE , site
/// Where in the source a store is; std::source_location is beyond the linter's compiler.
struct StoreSite {
  const char* file;
  int line;
  static constexpr StoreSite here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};
using StoreHook = void (*)(const StoreSite& site, const Word* word);
inline StoreHook g_store_hook = nullptr;
/// Called before each acquire load: tests let the writer go on in the middle of a read.
inline void (*g_load_hook)() = nullptr;
inline void report_store(const StoreSite& site, const Word* word) {
  if (g_store_hook != nullptr) g_store_hook(site, word);
}
#else
#define MAYFLY_SITE
#define MAYFLY_PASS_SITE
#endif

inline Word load_acquire(const Word* word) {
#ifdef MAYFLY_STORE_HOOK
  if (g_load_hook != nullptr) g_load_hook();
#endif
  return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
/// For the writer's own words, and for hints.
inline Word load_relaxed(const Word* word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }

inline void store_release(Word* word, Word value MAYFLY_SITE) {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
#ifdef MAYFLY_STORE_HOOK
  report_store(site, word);
#endif
}

/// Words needed for so many bytes.
constexpr std::size_t words_for(std::size_t bytes) { return (bytes + 7) / 8; }

/// Copies private bytes into shared words; the last word is padded with zeros.
MAYFLY_HOT void copy_in(Word* to, const void* from, std::size_t bytes MAYFLY_SITE) {
  const char* source = static_cast<const char*>(from);
  const auto word_at = [&](std::size_t i) {
    Word word;
    std::memcpy(&word, source + i * 8, 8);
    return word;
  };
  std::size_t words = bytes / 8;
  for (; words >= 4; words -= 4, source += 32, to += 4) {
    store_release(to, word_at(0) MAYFLY_PASS_SITE);
    store_release(to + 1, word_at(1) MAYFLY_PASS_SITE);
    store_release(to + 2, word_at(2) MAYFLY_PASS_SITE);
    store_release(to + 3, word_at(3) MAYFLY_PASS_SITE);
  }
  for (; words > 0; --words, source += 8, ++to) store_release(to, word_at(0) MAYFLY_PASS_SITE);
  if (const std::size_t tail = bytes % 8; tail > 0) {
    Word word = 0;
    std::memcpy(&word, source, tail);
    store_release(to, word MAYFLY_PASS_SITE);
  }
}

/// Copies shared words into private memory that holds a whole number of words.
inline void copy_out(void* to, const Word* from, std::size_t words) {
  char* target = static_cast<char*>(to);
  for (std::size_t i = 0; i < words; ++i, target += 8) {
    const Word word = load_acquire(from + i);
    std::memcpy(target, &word, 8);
  }
}

}  // namespace mayfly::shm
