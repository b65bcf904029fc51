// An input, read as choices: numbers from the front, text at the end. Past the end all is 0, so every
// string of bytes is an input.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mayfly::fuzz {

class Input {
 public:
  explicit Input(std::string_view bytes) : rest_(bytes) {}

  bool empty() const { return rest_.empty(); }
  /// Little-endian, of `bytes` bytes (1 to 8).
  std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes && i < rest_.size(); ++i) {
      value |= std::uint64_t{static_cast<unsigned char>(rest_[i])} << (8 * i);
    }
    rest_.remove_prefix(std::min(bytes, rest_.size()));
    return value;
  }
  std::uint8_t byte() { return static_cast<std::uint8_t>(number(1)); }
  bool flag() { return (byte() & 1) != 0; }
  /// 0 .. n - 1; n at least 1.
  std::uint64_t below(std::uint64_t n) {
    const std::size_t bytes = n <= 1 ? 0 : n <= 0x100 ? 1 : n <= 0x10000 ? 2 : 4;
    return number(bytes) % n;
  }
  /// All that is left.
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

}  // namespace mayfly::fuzz
