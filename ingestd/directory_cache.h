// One worker's memory of what names resolve to, so that a record costs no lock. Fixed size: names
// that fall on the same place displace each other. Not thread-safe.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "ingestd/registry.h"
#include "shm/bytes.h"
#include "shm/quotas.h"

namespace mayfly::ingestd {

class DirectoryCache {
 public:
  struct Slot {
    Resolution found;
    // The batch's own mark: which of its groups this directory has become.
    std::uint64_t batch = 0;
    std::uint32_t group = 0;
    shm::Kind kind = shm::Kind::none;
    std::uint8_t name_bytes = 0;
    char name[shm::kMaxNameBytes];

    bool holds(shm::Kind wanted, std::string_view text) const {
      return kind == wanted && shm::equal_bytes({name, name_bytes}, text);
    }
  };

  explicit DirectoryCache(std::uint64_t seed) : seed_(seed), slots_(kSlots) {}

  /// The place for a name of at most kMaxNameBytes; it may hold another one: see holds().
  Slot& slot(shm::Kind kind, std::string_view name);
  /// Makes a slot hold a name.
  static void fill(Slot& slot, shm::Kind kind, std::string_view name, const Resolution& found);

 private:
  static constexpr std::size_t kSlots = 1024;
  const std::uint64_t seed_;  // random, so that nobody can choose names that displace each other
  std::vector<Slot> slots_;
};

}  // namespace mayfly::ingestd
