// Comparing short byte strings without a call: keys and names have some 10 to 30 bytes, for which
// a library's memcmp costs more than the comparison.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace mayfly::shm {

inline std::uint64_t load_u64(const char* from) {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

inline std::uint32_t load_u32(const char* from) {
  std::uint32_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

/// True when `size` bytes at both places are the same. Reads no byte beyond them.
[[gnu::always_inline]] inline bool equal_bytes(const char* a, const char* b, std::size_t size) {
  if (size > 32) return std::memcmp(a, b, size) == 0;
  if (size >= 8) {
    // Both ends, and what is between them; they overlap.
    const std::size_t last = size - 8;
    std::uint64_t differ = (load_u64(a) ^ load_u64(b)) | (load_u64(a + last) ^ load_u64(b + last));
    if (size > 16) {
      differ |= (load_u64(a + 8) ^ load_u64(b + 8)) | (load_u64(a + last - 8) ^ load_u64(b + last - 8));
    }
    return differ == 0;
  }
  if (size >= 4) return load_u32(a) == load_u32(b) && load_u32(a + size - 4) == load_u32(b + size - 4);
  for (std::size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

inline bool equal_bytes(std::string_view a, std::string_view b) {
  return a.size() == b.size() && equal_bytes(a.data(), b.data(), a.size());
}

}  // namespace mayfly::shm
