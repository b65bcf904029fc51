#include "ingestd/directory_cache.h"

#include <xxhash.h>

namespace mayfly::ingestd {

DirectoryCache::Slot& DirectoryCache::slot(shm::Kind kind, std::string_view name) {
  const std::uint64_t hash = XXH3_64bits_withSeed(name.data(), name.size(), seed_);
  return slots_[(hash + static_cast<std::uint64_t>(kind)) % kSlots];
}

void DirectoryCache::fill(Slot& slot, shm::Kind kind, std::string_view name, const Resolution& found) {
  slot.found = found;
  slot.batch = 0;
  slot.kind = kind;
  slot.name_bytes = static_cast<std::uint8_t>(name.size());
  std::memcpy(slot.name, name.data(), name.size());
}

}  // namespace mayfly::ingestd
