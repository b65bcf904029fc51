// Commands by name, in any letter case. One table per listener says all there is: name, number of
// arguments, and what is done.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace mayfly::ingestd {

/// The first eight bytes of a name, upper case, as a number; whole and unique for shorter names.
inline std::uint64_t command_prefix(std::string_view name) {
  std::uint64_t prefix = 0;
  std::memcpy(&prefix, name.data(), name.size() < 8 ? name.size() : 8);
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
  explicit CommandTable(std::span<const Entry> entries) {
    for (const Entry& entry : entries) {
      std::size_t at = place(entry.name);
      while (slots_[at].entry != nullptr) at = (at + 1) % kSlots;
      slots_[at] = {command_prefix(entry.name), &entry};
    }
  }

  /// Null: no such command. Thread-safe.
  const Entry* find(std::string_view name) const {
    if (name.empty()) return nullptr;
    const std::uint64_t prefix = command_prefix(name);
    for (std::size_t at = place(name); slots_[at].entry != nullptr; at = (at + 1) % kSlots) {
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
  static std::size_t place(std::string_view name) {
    return ((command_prefix(name) + name.size()) * 0x9e3779b97f4a7c15ull) >> 55;
  }
  std::array<Slot, kSlots> slots_{};
};

/// True when a command of `count` arguments (its name counted) has as many as `arity` says:
/// exactly so many, or at least -arity where it is negative.
inline bool arity_fits(int arity, std::size_t count) {
  return arity >= 0 ? count == static_cast<std::size_t>(arity) : count >= static_cast<std::size_t>(-arity);
}

}  // namespace mayfly::ingestd
