#include "tests/crash/table.h"

#include <algorithm>
#include <initializer_list>

namespace mayfly::shm::test {
namespace {

constexpr std::size_t kRows = 4096;        // more than there are stores in the source
constexpr std::uint64_t kAlways = 64;      // so many points of a cell are examined in any case
constexpr std::uint64_t kThin = 64;        // of a cell that has its share, one in so many
constexpr std::uint64_t kShareOfMean = 2;  // a cell's share: so many times the mean

std::string base_name(const char* path) {
  const std::string text(path);
  return text.substr(text.rfind('/') + 1);
}

std::string cause_text(int cause) {
  if (cause < 0) return "-";
  if (cause == static_cast<int>(kEvictCauses)) return "replaced";
  return std::string(kEvictCauseNames[static_cast<std::size_t>(cause)]);
}

}  // namespace

Situation Situation::of_index(std::size_t index) {
  Situation s;
  s.merge = index % 2 != 0;
  s.page_turn = index / 2 % 2 != 0;
  s.cause = static_cast<int>(index / 4 % kCauses) - 1;
  s.operation = static_cast<Operation>(index / 4 / kCauses);
  return s;
}

std::string Situation::text() const {
  return std::string(kOperationNames[static_cast<std::size_t>(operation)]) + ", " + cause_text(cause) +
         (page_turn ? ", page turn" : "") + (merge ? ", merge" : "");
}

std::vector<Situation> possible_situations() {
  std::vector<Situation> cells;
  const auto add = [&](Operation operation, std::initializer_list<int> causes, bool pages) {
    for (const int cause : causes) {
      cells.push_back({operation, cause, false, false});
      if (!pages) continue;
      cells.push_back({operation, cause, true, false});
      cells.push_back({operation, cause, true, true});  // merges follow page turns
    }
  };
  const auto c = [](EvictCause cause) { return static_cast<int>(cause); };
  const int replaced = kEvictCauses;
  add(Operation::append_log,
      {-1, c(EvictCause::keys), c(EvictCause::events_per_key), c(EvictCause::bytes_per_key),
       c(EvictCause::total_bytes), c(EvictCause::memory), c(EvictCause::age)},
      true);
  add(Operation::append_status,
      {-1, replaced, c(EvictCause::keys), c(EvictCause::total_bytes), c(EvictCause::memory),
       c(EvictCause::age)},
      true);
  add(Operation::unset, {-1, c(EvictCause::unset), c(EvictCause::age)}, false);
  add(Operation::apply_quotas, {-1, c(EvictCause::quota_lowered), c(EvictCause::age)}, false);
  add(Operation::remove, {-1, c(EvictCause::directory_removed)}, false);
  add(Operation::open, {-1}, false);
  add(Operation::evict_due, {-1, c(EvictCause::age)}, false);
  return cells;
}

std::size_t CrashTable::row_of(const StoreSite& site) {
  const auto line = static_cast<std::uint64_t>(site.line);
  const std::uint64_t key = reinterpret_cast<std::uintptr_t>(site.file) * 4099 + line;
  if (rows_.empty()) rows_.assign(kRows, {0, 0});
  std::size_t at = key * 0x9e3779b97f4a7c15ull >> 52;
  while (rows_[at].first != 0 && rows_[at].first != key) at = (at + 1) % kRows;
  if (rows_[at].first == 0) {
    // A header's line has one text, but may come from several translation units' copies of it.
    const std::string name = base_name(site.file) + ":" + std::to_string(site.line);
    auto known = std::find(names_.begin(), names_.end(), name);
    if (known == names_.end()) {
      names_.push_back(name);
      counts_.resize(names_.size() * Situation::kAll, 0);
      known = names_.end() - 1;
    }
    rows_[at] = {key, static_cast<std::size_t>(known - names_.begin())};
  }
  return rows_[at].second;
}

bool CrashTable::take(const StoreSite& site, const Situation& situation, std::mt19937_64& random) {
  const std::size_t row = row_of(site);
  std::uint64_t& count = counts_[row * Situation::kAll + situation.index()];
  const std::uint64_t share = cells_met_ == 0 ? 0 : kShareOfMean * points_ / cells_met_;
  if (count >= kAlways && count > share && random() % kThin != 0) return false;
  cells_met_ += count == 0 ? 1 : 0;
  ++count;
  ++points_;
  return true;
}

std::map<std::string, std::uint64_t> CrashTable::sites() const {
  std::map<std::string, std::uint64_t> sums;
  for (std::size_t i = 0; i < counts_.size(); ++i) sums[names_[i / Situation::kAll]] += counts_[i];
  return sums;
}

std::map<Situation, std::uint64_t> CrashTable::situations() const {
  std::map<Situation, std::uint64_t> sums;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] > 0) sums[Situation::of_index(i % Situation::kAll)] += counts_[i];
  }
  return sums;
}

std::vector<std::uint64_t> CrashTable::cells() const {
  std::vector<std::uint64_t> met;
  for (const std::uint64_t n : counts_) {
    if (n > 0) met.push_back(n);
  }
  std::sort(met.begin(), met.end());
  return met;
}

std::vector<Situation> CrashTable::missing() const {
  const auto met = situations();
  std::vector<Situation> missing;
  for (const Situation& cell : possible_situations()) {
    if (!met.contains(cell)) missing.push_back(cell);
  }
  return missing;
}

}  // namespace mayfly::shm::test
