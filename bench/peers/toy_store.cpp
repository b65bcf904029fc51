#include "bench/peers/toy_store.h"

#include <xxhash.h>

#include <cstring>

namespace mayfly::bench {

namespace {

constexpr std::size_t kMaxArguments = 4;

// "$16\r\n" -> 16; moves `at` behind the line. False: the line is not whole.
bool read_length(std::string_view bytes, std::size_t& at, std::size_t& length) {
  length = 0;
  for (std::size_t i = at + 1; i + 1 < bytes.size(); ++i) {
    if (bytes[i] == '\r') {
      at = i + 2;
      return true;
    }
    length = length * 10 + static_cast<std::size_t>(bytes[i] - '0');
  }
  return false;
}

std::uint64_t hash_of(std::string_view key) { return XXH3_64bits(key.data(), key.size()) | 1; }

}  // namespace

std::size_t ToyStore::take(std::string_view bytes) {
  std::size_t done = 0;
  for (;;) {
    std::size_t at = done, count = 0;
    std::array<std::string_view, kMaxArguments> arguments;
    if (!read_length(bytes, at, count)) return done;
    std::size_t i = 0;
    for (; i < count; ++i) {
      std::size_t length = 0;
      if (!read_length(bytes, at, length) || bytes.size() - at < length + 2) break;
      if (i < kMaxArguments) arguments[i] = bytes.substr(at, length);
      at += length + 2;
    }
    if (i < count) return done;
    if (count == kMaxArguments) put(arguments[2], arguments[3]);
    done = at;
  }
}

std::size_t ToyStore::find(std::uint64_t hash) const {
  std::size_t at = hash >> 40 & (kSlots - 1);
  while (slots_[at].hash != 0 && slots_[at].hash != hash) at = (at + 1) & (kSlots - 1);
  return at;
}

void ToyStore::put(std::string_view key, std::string_view value) {
  if (at_ + key.size() + value.size() > ring_.size()) at_ = 0;
  if (key.size() + value.size() > ring_.size()) return;
  std::memcpy(ring_.data() + at_, key.data(), key.size());
  std::memcpy(ring_.data() + at_ + key.size(), value.data(), value.size());
  const auto hash = hash_of(key);
  slots_[find(hash)] = {hash, static_cast<std::uint32_t>(at_), static_cast<std::uint16_t>(key.size()),
                        static_cast<std::uint16_t>(value.size())};
  at_ += key.size() + value.size();
  ++records_;
}

std::string_view ToyStore::newest(std::string_view key) const {
  const auto& slot = slots_[find(hash_of(key))];
  const std::string_view ring(ring_.data(), ring_.size());
  // Overwritten since: the ring has gone round.
  if (slot.hash == 0 || ring.substr(slot.place, slot.key_bytes) != key) return {};
  return ring.substr(slot.place + slot.key_bytes, slot.value_bytes);
}

}  // namespace mayfly::bench
