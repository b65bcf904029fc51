// The least that any ring of records costs: two copies and a published head. Keeps no order per
// key, no quotas, no counters, survives nothing. The yardstick for shm_bench.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mayfly::bench {

class MemcpyRing {
 public:
  explicit MemcpyRing(std::size_t bytes) : bytes_(bytes) {}

  void append(std::string_view key, std::string_view value);

 private:
  std::vector<char> bytes_;
  std::size_t at_ = 0;
  std::atomic<std::uint64_t> head_{0};
};

}  // namespace mayfly::bench
