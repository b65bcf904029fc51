// The newest (or oldest) so many entries of all that go by.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/logql_labels.h"

namespace mayfly::relayd {

/// One entry that was kept.
struct LokiEntry {
  std::uint32_t directory = 0;  // of the query's list
  logql::Level level = logql::Level::unknown;
  std::string key;
  std::string line;
};

/// Entries of one time stay together, so that whoever pages by time neither skips nor repeats one:
/// the last time may bring in more than `limit`. One thread.
class LokiEntries {
 public:
  using ByTime = std::map<std::uint64_t, std::vector<LokiEntry>>;

  LokiEntries(std::uint64_t limit, bool forward, std::size_t max_bytes)
      : limit_(limit), forward_(forward), max_bytes_(max_bytes) {}

  /// False: the place of an entry of that time is taken.
  bool wants(std::uint64_t time_ns) const;
  void add(std::uint64_t time_ns, LokiEntry entry);
  /// True where bytes, not `limit`, ended the list.
  bool is_cut() const { return cut_; }
  std::uint64_t count() const { return count_; }
  /// In the order of the direction.
  std::vector<std::pair<std::uint64_t, LokiEntry>> take();

 private:
  bool is_worse(std::uint64_t time_ns, std::uint64_t than) const {
    return forward_ ? time_ns > than : time_ns < than;
  }
  ByTime::iterator worst();
  void trim();
  void drop_worst();

  std::uint64_t limit_;
  bool forward_;
  std::size_t max_bytes_;
  ByTime entries_;
  std::uint64_t count_ = 0;
  std::size_t bytes_ = 0;
  bool cut_ = false;
  std::uint64_t bound_ = 0;  // where cut_: nothing of that time or worse
};

}  // namespace mayfly::relayd
