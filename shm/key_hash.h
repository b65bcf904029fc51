// How a key finds its entry in a directory's index; the writer and readers agree on it here.
#pragma once

#define XXH_INLINE_ALL  // a call costs as much as hashing a short key
#include <xxhash.h>

#include <string_view>

#include "shm/layout.h"

namespace mayfly::shm {

/// `seed` is the segment's own: who writes keys cannot choose where they collide.
inline Word key_hash(Word seed, std::string_view key) {
  const Word hash = XXH3_64bits_withSeed(key.data(), key.size(), seed);
  return hash > kHashTombstone ? hash : hash + 2;
}

/// Hash bits below it choose the index page, the next ones the entry where probing begins.
inline constexpr std::uint32_t kIndexDepthBits = 12;

/// `entries` of one page: a power of two.
constexpr std::uint32_t first_index_probe(Word hash, std::uint32_t entries) {
  return static_cast<std::uint32_t>(hash >> kIndexDepthBits) & (entries - 1);
}

}  // namespace mayfly::shm
