// Crash points for as long as wanted: the soak's worker. Prints one JSON object with what it examined.
//
//   crash_points FIRST_SEED SECONDS
//
// Exit code 1: a promise was not kept; the seed and what was seen are on standard error.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tests/crash/enumerator.h"

namespace mayfly::shm::test {
namespace {

constexpr int kStepsPerSeed = 400;
constexpr int kWrongUsage = 2;

nlohmann::json to_json(const CrashTable& table, const CrashCounts& counts, std::uint64_t seeds) {
  nlohmann::json situations = nlohmann::json::object();
  for (const auto& [situation, n] : table.situations()) situations[situation.text()] = n;
  return {{"points", table.points()},
          {"pending", counts.pending},
          {"second_kills", counts.second_kills},
          {"continuations", counts.continuations},
          {"operations", counts.operations},
          {"stores", counts.stores},
          {"seeds", seeds},
          {"cells", table.cells()},
          {"sites", table.sites()},
          {"situations", situations}};
}

int run(std::uint64_t first_seed, std::chrono::seconds time) {
  CrashTable table;
  CrashCounts counts;
  const auto end = std::chrono::steady_clock::now() + time;
  std::uint64_t seed = first_seed;
  for (; std::chrono::steady_clock::now() < end; ++seed) {
    try {
      Enumerator enumerator(scene_of(seed), table, counts);
      for (int i = 0; i < kStepsPerSeed; ++i) enumerator.step();
    } catch (const Finding& finding) {
      std::fprintf(stderr, "seed %llu: %s\n", static_cast<unsigned long long>(seed), finding.what());
      return 1;
    } catch (const CorruptSegment& corrupt) {
      std::fprintf(stderr, "seed %llu: %s\n", static_cast<unsigned long long>(seed), corrupt.what.c_str());
      return 1;
    }
  }
  std::puts(to_json(table, counts, seed - first_seed).dump().c_str());
  return 0;
}

}  // namespace
}  // namespace mayfly::shm::test

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: crash_points FIRST_SEED SECONDS\n", stderr);
    return mayfly::shm::test::kWrongUsage;
  }
  return mayfly::shm::test::run(std::strtoull(argv[1], nullptr, 10),
                                std::chrono::seconds(std::strtoull(argv[2], nullptr, 10)));
}
