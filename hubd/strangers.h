// Who polls under names that the hub's file does not have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>

namespace mayfly::hubd {

/// Somebody who polled under an unknown name, for the administrator to paste into the file.
struct KnockingStranger {
  std::string name;  // bounded, as it came
  std::string tripcode;
  std::string address;
  std::uint64_t last_seen_ns = 0;
};

/// In memory only, bounded. Not thread-safe.
class Strangers {
 public:
  static constexpr std::size_t kMaxStrangers = 20;
  static constexpr std::size_t kMaxNameBytes = 128;

  /// The same name with the same key counts as one, however often it knocks.
  void knocked(std::string_view name, std::string_view key, std::string_view address, std::uint64_t wall_ns);
  /// The last one first.
  const std::list<KnockingStranger>& all() const { return strangers_; }

 private:
  std::list<KnockingStranger> strangers_;
};

}  // namespace mayfly::hubd
