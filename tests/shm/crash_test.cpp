// kill -9 at every store: after each store to the segment, the memory is what a killed writer would
// have left. It must read as one committed state, before recovery and after it, also when recovery
// itself is killed; and the recovered segment must be whole and go on as the model does.
#include <cstdio>
#include <cstdlib>

#include "tests/shm/crash_enumerator.h"

namespace mayfly::shm::test {
namespace {

/// The cells that can exist at all; each must have been killed in.
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

std::vector<Situation> empty_cells() {
  std::vector<Situation> empty;
  for (const Situation& cell : possible_situations()) {
    if (!g_tally.situations.contains(cell)) empty.push_back(cell);
  }
  return empty;
}

TEST(Crash, KilledAtEveryStoreTheSegmentReadsAsOneCommit) {
  const char* asked = std::getenv("MAYFLY_CRASH_POINTS");
  const std::uint64_t wanted = asked != nullptr ? std::strtoull(asked, nullptr, 10) : 60'000;
  const std::uint64_t per_site = std::max<std::uint64_t>(wanted / 400, 100);
  const char* first = std::getenv("MAYFLY_CRASH_SEED");
  std::uint64_t seed = first != nullptr ? std::strtoull(first, nullptr, 10) : 1;
  // On until the table has no empty cell, within reason.
  for (; g_tally.points < wanted || (!empty_cells().empty() && g_tally.points < 3 * wanted); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    try {
      Enumerator enumerator({seed, static_cast<Profile>(seed % 3)}, per_site);
      for (int i = 0; i < 400 && !testing::Test::HasFatalFailure(); ++i) enumerator.step();
    } catch (const CorruptSegment& corrupt) {
      FAIL() << corrupt.what;
    }
    if (testing::Test::HasFatalFailure()) return;
  }
  std::printf(
      "crash points %llu, with something to roll back %llu, second kills %llu, continued %llu, seeds to "
      "%llu\n",
      static_cast<unsigned long long>(g_tally.points), static_cast<unsigned long long>(g_tally.pending),
      static_cast<unsigned long long>(g_tally.second_kills),
      static_cast<unsigned long long>(g_tally.continuations), static_cast<unsigned long long>(seed));
  std::uint64_t least = ~0ull;
  for (const auto& [site, n] : g_tally.sites) {
    least = std::min(least, n);
    std::printf("  site %-28s %llu\n", site.c_str(), static_cast<unsigned long long>(n));
  }
  for (const auto& [s, n] : g_tally.situations) {
    std::printf("  %-14s %-18s %s %s %llu\n", kOperationNames[static_cast<int>(s.operation)],
                cause_text(s.cause).c_str(), s.page_turn ? "turn" : "-   ", s.merge ? "merge" : "-    ",
                static_cast<unsigned long long>(n));
  }
  for (const Situation& cell : empty_cells()) {
    ADD_FAILURE() << "never killed in: " << kOperationNames[static_cast<int>(cell.operation)] << ", "
                  << cause_text(cell.cause) << (cell.page_turn ? ", page turn" : "")
                  << (cell.merge ? ", merge" : "");
  }
}

}  // namespace
}  // namespace mayfly::shm::test
