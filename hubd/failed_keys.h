// Bounds how often wrong keys and passwords may be tried. Counted for each pair of an address and
// what was tried there (a server's name), so that a host with a wrong key does not shut out its
// neighbours behind the same proxy or on loopback.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mayfly::hubd {

/// How many tries at once, and after how long there is one more.
struct TryLimits {
  unsigned burst = 20;
  std::uint64_t refill_ms = 1000;
};

/// Not thread-safe. Memory is bounded: beyond kMaxEntries the pair that failed longest ago is
/// forgotten.
class FailedKeys {
 public:
  static constexpr unsigned kBurst = TryLimits{}.burst;
  static constexpr std::uint64_t kRefillMs = TryLimits{}.refill_ms;
  static constexpr std::size_t kMaxEntries = 4096;

  explicit FailedKeys(TryLimits limits = {}) : limits_(limits) {}

  /// False while `address` has used up its tries for `server`: its key is not looked at then.
  bool may_try(std::string_view address, std::string_view server, std::uint64_t now_ms) const;
  void failed(std::string_view address, std::string_view server, std::uint64_t now_ms);
  /// Takes one failed() back: what was counted beforehand turned out right.
  void forgive(std::string_view address, std::string_view server, std::uint64_t now_ms);
  /// Whole seconds, at least 1, after which may_try() is true again.
  std::uint64_t retry_after_s(std::string_view address, std::string_view server, std::uint64_t now_ms) const;

  /// What counts as one address: "1.2.3.4:5" without its port, IPv6 by its first 64 bits.
  static std::string address_of(std::string_view peer);

 private:
  struct Entry {
    std::string key;
    std::uint64_t full_at_ms;  // when all tries are there again
  };
  static std::string key_of(std::string_view address, std::string_view server);
  std::uint64_t lent_ms(std::string_view address, std::string_view server, std::uint64_t now_ms) const;

  TryLimits limits_;
  std::list<Entry> entries_;  // the last failure first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
};

}  // namespace mayfly::hubd
