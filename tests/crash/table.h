// The table of crash points: at which store, and what was going on. Sampling keeps it even.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "shm/quotas.h"
#include "shm/word.h"

namespace mayfly::shm::test {

enum class Operation { append_log, append_status, unset, apply_quotas, remove, open, evict_due };
inline constexpr const char* kOperationNames[] = {"append log", "append status", "unset",    "apply quotas",
                                                  "remove",     "open",          "evict due"};
inline constexpr std::size_t kOperations = std::size(kOperationNames);

/// What was going on when the writer was killed.
struct Situation {
  Operation operation = Operation::open;
  int cause = -1;  // of the last eviction of the operation so far: -1 none, kEvictCauses = replaced
  bool page_turn = false;
  bool merge = false;
  auto operator<=>(const Situation&) const = default;

  static constexpr std::size_t kCauses = kEvictCauses + 2;
  static constexpr std::size_t kAll = kOperations * kCauses * 4;
  std::size_t index() const {
    return ((static_cast<std::size_t>(operation) * kCauses + static_cast<std::size_t>(cause + 1)) * 2 +
            (page_turn ? 1 : 0)) *
               2 +
           (merge ? 1 : 0);
  }
  static Situation of_index(std::size_t index);
  std::string text() const;
};

/// The situations that can exist at all; each must be met.
std::vector<Situation> possible_situations();

/// How many points were examined in each cell: site of the store x situation. Not thread-safe.
class CrashTable {
 public:
  /// Whether the point is to be examined; if so it is counted. Cells with more than their share are
  /// thinned out, so that the points spread evenly.
  bool take(const StoreSite& site, const Situation& situation, std::mt19937_64& random);

  std::uint64_t points() const { return points_; }
  std::map<std::string, std::uint64_t> sites() const;
  std::map<Situation, std::uint64_t> situations() const;
  /// Counts of the cells that were met, ascending.
  std::vector<std::uint64_t> cells() const;
  /// Those of possible_situations() that were not met.
  std::vector<Situation> missing() const;

 private:
  std::size_t row_of(const StoreSite& site);

  std::vector<std::string> names_;  // of the sites: file:line
  std::vector<std::uint64_t> counts_;
  std::vector<std::pair<std::uint64_t, std::size_t>> rows_;  // open addressing by place in the source
  std::uint64_t points_ = 0;
  std::uint64_t cells_met_ = 0;
};

}  // namespace mayfly::shm::test
