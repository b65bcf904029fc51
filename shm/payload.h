// Copying a record's key and value into the segment.
//
// Nobody reads these bytes before the commit that publishes them, so the size of a store does not
// matter, only that all are made before the commit's release store, and after the stamp of a page
// taken into use. On x86-64 vector stores keep that order as any others do. Everywhere else, under
// ThreadSanitizer (which must see atomic stores) and in the crash tests (which stop after each store)
// the copy is made word by word.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "shm/bytes.h"
#include "shm/word.h"

#if defined(__x86_64__) && !defined(MAYFLY_STORE_HOOK) && !defined(__SANITIZE_THREAD__)
#define MAYFLY_VECTOR_PAYLOAD 1
#include <emmintrin.h>
#endif

namespace mayfly::shm {

#ifdef MAYFLY_VECTOR_PAYLOAD

/// memcpy of what is mostly short: blocks of 16 bytes, the last one overlapping.
inline void copy_short(char* to, const char* from, std::size_t size) {
  const auto block = [&](std::size_t at) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + at),
                     _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + at)));
  };
  if (size > 512) {
    std::memcpy(to, from, size);
  } else if (size >= 16) {
    const std::size_t last = size - 16;
    for (std::size_t at = 0; at < last; at += 16) block(at);
    block(last);
  } else if (size >= 8) {
    const std::uint64_t low = load_u64(from);
    const std::uint64_t high = load_u64(from + size - 8);
    std::memcpy(to, &low, 8);
    std::memcpy(to + size - 8, &high, 8);
  } else {
    for (std::size_t i = 0; i < size; ++i) to[i] = from[i];
  }
}

/// Key and value as one string, filled up with zeros to a whole word.
inline void copy_payload(Word* to, std::string_view key, std::string_view value) {
  if (key.empty() && value.empty()) return;
  char* const bytes = reinterpret_cast<char*>(to);
  to[(key.size() + value.size() - 1) / 8] = 0;
  copy_short(bytes, key.data(), key.size());
  copy_short(bytes + key.size(), value.data(), value.size());
}

#else

inline void copy_payload(Word* to, std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() % 8;
  const std::size_t whole = key.size() - rest;
  copy_in(to, key.data(), whole);
  to += whole / 8;
  if (rest > 0) {  // a word of the key's end and the value's beginning
    const std::size_t taken = std::min(value.size(), 8 - rest);
    char joint[8] = {};
    std::memcpy(joint, key.data() + whole, rest);
    std::memcpy(joint + rest, value.data(), taken);
    copy_in(to++, joint, 8);
    value.remove_prefix(taken);
  }
  copy_in(to, value.data(), value.size());
}

#endif

}  // namespace mayfly::shm
