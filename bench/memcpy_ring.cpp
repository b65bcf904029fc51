#include "bench/memcpy_ring.h"

#include <cstring>

namespace mayfly::bench {

void MemcpyRing::append(std::string_view key, std::string_view value) {
  const std::uint32_t lengths[2] = {static_cast<std::uint32_t>(key.size()),
                                    static_cast<std::uint32_t>(value.size())};
  const std::size_t need = (sizeof lengths + key.size() + value.size() + 7) & ~std::size_t{7};
  if (at_ + need > bytes_.size()) at_ = 0;
  char* out = bytes_.data() + at_;
  std::memcpy(out, lengths, sizeof lengths);
  std::memcpy(out + sizeof lengths, key.data(), key.size());
  std::memcpy(out + sizeof lengths + key.size(), value.data(), value.size());
  at_ += need;
  head_.store(head_.load(std::memory_order_relaxed) + need, std::memory_order_release);
}

}  // namespace mayfly::bench
