// The least that may be called a store: a parser without checks, a ring, a hash table.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mayfly::bench {

/// Not thread-safe. Bytes that are not as expected make nonsense, but are not read beyond their end.
class ToyStore {
 public:
  ToyStore() : ring_(kRingBytes), slots_(kSlots) {}

  /// Takes whole commands of RESP (the arguments of a command: name, directory, key, value; others are
  /// passed over); returns how many bytes that was.
  std::size_t take(std::string_view bytes);
  std::uint64_t records() const { return records_; }
  /// Empty: not there, or no more.
  std::string_view newest(std::string_view key) const;

 private:
  static constexpr std::size_t kRingBytes = 512 << 10;
  static constexpr std::size_t kSlots = 4096;  // a power of two, four times the keys
  struct Slot {
    std::uint64_t hash = 0;  // 0: free
    std::uint32_t place = 0;
    std::uint16_t key_bytes = 0;
    std::uint16_t value_bytes = 0;
  };

  void put(std::string_view key, std::string_view value);
  std::size_t find(std::uint64_t hash) const;

  std::vector<char> ring_;
  std::vector<Slot> slots_;
  std::size_t at_ = 0;
  std::uint64_t records_ = 0;
};

}  // namespace mayfly::bench
