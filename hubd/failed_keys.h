// Bounds how often wrong keys may be tried. Counted for each pair of address and server, so that a
// host with a wrong key does not shut out its neighbours behind the same proxy or on loopback.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mayfly::hubd {

/// Not thread-safe. Memory is bounded: beyond kMaxEntries the pair that failed longest ago is
/// forgotten.
class FailedKeys {
 public:
  static constexpr unsigned kBurst = 20;            // tries at once
  static constexpr std::uint64_t kRefillMs = 1000;  // one more after each
  static constexpr std::size_t kMaxEntries = 4096;

  /// False while `address` has used up its tries for `server`: its key is not looked at then.
  bool may_try(std::string_view address, std::string_view server, std::uint64_t now_ms) const;
  void failed(std::string_view address, std::string_view server, std::uint64_t now_ms);

  /// What counts as one address: "1.2.3.4:5" without its port, IPv6 by its first 64 bits.
  static std::string address_of(std::string_view peer);

 private:
  struct Entry {
    std::string key;
    std::uint64_t full_at_ms;  // when all tries are there again
  };
  static std::string key_of(std::string_view address, std::string_view server);

  std::list<Entry> entries_;  // the last failure first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
};

}  // namespace mayfly::hubd
