// kill -9 at every store: after each store to the segment, the memory is what a killed writer would
// have left. It must read as what was committed last, before recovery and after it, also when
// recovery itself is killed; and the recovered segment must be whole and go on as the model does.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/crash/enumerator.h"

namespace mayfly::shm::test {
namespace {

// A sanitizer looks for other faults than holes in the table: it gets fewer points, and no demand.
#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t kPoints = 10'000;
constexpr bool kWholeTable = false;
#else
constexpr std::uint64_t kPoints = 60'000;
constexpr bool kWholeTable = true;
#endif
constexpr int kStepsPerSeed = 400;

TEST(Crash, KilledAtEveryStoreTheSegmentReadsAsOneCommit) {
  CrashTable table;
  CrashCounts counts;
  std::uint64_t seed = 1;
  // On until the table has no empty cell, within reason.
  const auto wants_more = [&] {
    return kWholeTable && !table.missing().empty() && table.points() < 10 * kPoints;
  };
  for (; table.points() < kPoints || wants_more(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    try {
      Enumerator enumerator(scene_of(seed), table, counts);
      for (int i = 0; i < kStepsPerSeed; ++i) enumerator.step();
    } catch (const Finding& finding) {
      FAIL() << finding.what();
    } catch (const CorruptSegment& corrupt) {
      FAIL() << corrupt.what;
    }
  }
  const auto cells = table.cells();
  std::printf(
      "crash points %llu in %zu cells (median %llu), with something to roll back %llu, killed again %llu, "
      "continued %llu, seeds to %llu\n",
      static_cast<unsigned long long>(table.points()), cells.size(),
      static_cast<unsigned long long>(cells[cells.size() / 2]),
      static_cast<unsigned long long>(counts.pending), static_cast<unsigned long long>(counts.second_kills),
      static_cast<unsigned long long>(counts.continuations), static_cast<unsigned long long>(seed));
  for (const Situation& cell : table.missing()) {
    if (kWholeTable) ADD_FAILURE() << "never killed in: " << cell.text();
  }
}

}  // namespace
}  // namespace mayfly::shm::test
