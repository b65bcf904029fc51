#include "relayd/loki_entries.h"

#include <algorithm>
#include <iterator>

namespace mayfly::relayd {
namespace {

std::size_t cost_of(const LokiEntry& entry) {
  return entry.line.size() + entry.key.size() + sizeof(LokiEntry);
}

}  // namespace

LokiEntries::ByTime::iterator LokiEntries::worst() {
  return forward_ ? std::prev(entries_.end()) : entries_.begin();
}

bool LokiEntries::wants(std::uint64_t time_ns) const {
  if (cut_ && !is_worse(bound_, time_ns)) return false;
  if (count_ < limit_) return true;
  const auto last = forward_ ? std::prev(entries_.end()) : entries_.begin();
  return !is_worse(time_ns, last->first);
}

void LokiEntries::add(std::uint64_t time_ns, LokiEntry entry) {
  if (!wants(time_ns)) return;
  bytes_ += cost_of(entry);
  ++count_;
  entries_[time_ns].push_back(std::move(entry));
  trim();
}

void LokiEntries::trim() {
  while (count_ - worst()->second.size() >= limit_) drop_worst();
  while (bytes_ > max_bytes_ && entries_.size() > 1) {
    cut_ = true;
    bound_ = worst()->first;
    drop_worst();
  }
}

void LokiEntries::drop_worst() {
  const auto last = worst();
  for (const auto& entry : last->second) bytes_ -= cost_of(entry);
  count_ -= last->second.size();
  entries_.erase(last);
}

std::vector<std::pair<std::uint64_t, LokiEntry>> LokiEntries::take() {
  std::vector<std::pair<std::uint64_t, LokiEntry>> list;
  for (auto& [time_ns, entries] : entries_) {
    for (auto& entry : entries) list.emplace_back(time_ns, std::move(entry));
  }
  if (!forward_) std::reverse(list.begin(), list.end());
  entries_.clear();
  count_ = bytes_ = 0;
  return list;
}

}  // namespace mayfly::relayd
