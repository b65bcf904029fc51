// Commands by name, in any letter case. One table per listener says all there is: name, number of
// arguments, and what is done.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace mayfly::ingestd {

/// The first eight bytes of a name as a number; shorter names are filled with zeros. Loads of a
/// fixed size that overlap, since a copy of unknown length costs a call.
constexpr std::uint64_t load_prefix(std::string_view name) {
  const char* const at = name.data();
  const std::size_t size = name.size();
  std::uint64_t prefix = 0;
  if (std::is_constant_evaluated()) {
    for (std::size_t i = 0; i < size && i < 8; ++i)
      prefix |= std::uint64_t{static_cast<unsigned char>(at[i])} << (8 * i);
  } else if (size >= 8) {
    std::memcpy(&prefix, at, 8);
  } else if (size >= 4) {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    std::memcpy(&low, at, 4);
    std::memcpy(&high, at + size - 4, 4);
    prefix = low | (std::uint64_t{high} << (8 * (size - 4)));
  } else {
    for (std::size_t i = 0; i < size; ++i)
      prefix |= std::uint64_t{static_cast<unsigned char>(at[i])} << (8 * i);
  }
  return prefix;
}

/// load_prefix() in upper case; whole and unique for names of up to eight bytes.
constexpr std::uint64_t command_prefix(std::string_view name) {
  const std::uint64_t prefix = load_prefix(name);
  // Bytes a..z lose bit 5, all eight at once: a carry into bit 7 marks what is >= 'a', and > 'z'.
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  const std::uint64_t low = prefix & (0x7f * kOnes);
  const std::uint64_t from_a = low + (0x80 - 'a') * kOnes;
  const std::uint64_t past_z = low + (0x80 - 'z' - 1) * kOnes;
  const std::uint64_t letters = (from_a & ~past_z & ~prefix) & (0x80 * kOnes);
  return prefix & ~(letters >> 2);
}

/// True when both are the same but for the case of ASCII letters.
bool same_command(std::string_view a, std::string_view b);

/// A fixed hash table over a static list of entries with a member `name` (upper case).
template <class Entry>
class CommandTable {
 public:
  explicit constexpr CommandTable(std::span<const Entry> entries) {
    for (const Entry& entry : entries) {
      std::size_t at = place(command_prefix(entry.name), entry.name.size());
      while (slots_[at].entry != nullptr) at = (at + 1) % kSlots;
      slots_[at] = {command_prefix(entry.name), &entry};
    }
  }

  /// Null: no such command. Thread-safe.
  const Entry* find(std::string_view name) const {
    if (name.empty()) return nullptr;
    const std::uint64_t prefix = command_prefix(name);
    for (std::size_t at = place(prefix, name.size()); slots_[at].entry != nullptr; at = (at + 1) % kSlots) {
      const Slot& slot = slots_[at];
      if (slot.prefix == prefix && slot.entry->name.size() == name.size() &&
          (name.size() <= 8 || same_command(slot.entry->name, name))) {
        return slot.entry;
      }
    }
    return nullptr;
  }

 private:
  static constexpr std::size_t kSlots = 512;  // never full: the lists have some hundred entries
  struct Slot {
    std::uint64_t prefix = 0;
    const Entry* entry = nullptr;
  };
  static constexpr std::size_t place(std::uint64_t prefix, std::size_t size) {
    return ((prefix + size) * 0x9e3779b97f4a7c15ull) >> 55;
  }
  std::array<Slot, kSlots> slots_{};
};

/// True when a command of `count` arguments (its name counted) has as many as `arity` says:
/// exactly so many, or at least -arity where it is negative.
inline bool arity_fits(int arity, std::size_t count) {
  return arity >= 0 ? count == static_cast<std::size_t>(arity) : count >= static_cast<std::size_t>(-arity);
}

}  // namespace mayfly::ingestd
