// Single-steps a real ingestd under load: the soak's worker. Prints one JSON object with what it saw.
//
//   single_steps INGESTD SEED SECONDS INSTRUCTIONS [RANGES]
//
// Ends after so many seconds or instructions. RANGES: a file with `begin end` of the segment library's
// code in the binary, hexadecimal, a line each, ascending. Exit code 1: a promise was not kept; 77: this
// machine does not let us trace.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/shm/temp_directory.h"
#include "tests/steps/load.h"
#include "tests/steps/stepper.h"

namespace mayfly::test {
namespace {

constexpr int kWrongUsage = 2;
constexpr int kNotHere = 77;
constexpr std::uint64_t kChangeQuotasOneIn = 8;  // bursts

CodeRanges read_ranges(const char* path) {
  CodeRanges ranges;
  std::ifstream file(path);
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  while (file >> std::hex >> begin >> end) ranges.emplace_back(begin, end);
  return ranges;
}

nlohmann::json to_json(const Stepper& stepper) {
  const StepCounts& steps = stepper.counts();
  const shm::test::CrashCounts& crash = stepper.crash_counts();
  return {{"instructions", steps.instructions},
          {"in_segment_code", steps.in_segment_code},
          {"windows", steps.windows},
          {"windows_by_kind", steps.kinds},
          {"images", crash.images},
          {"pending", crash.pending},
          {"second_kills", crash.second_kills},
          {"continuations", crash.continuations}};
}

struct Wanted {
  std::uint64_t seed;
  std::chrono::seconds seconds;
  std::uint64_t instructions;
};

nlohmann::json run(const std::string& ingestd, const Wanted& wanted, const CodeRanges& code) {
  const shm::test::TempDirectory directory;
  Load load(directory.path(), wanted.seed);
  load.publish_quotas();
  Tracee tracee({ingestd, "--runtime-dir", directory.path(), "--memory", "2MiB", "--workers", "1", "--ingest",
                 "none", "--redis", "none", "--log-level", "warning"},
                directory.path() + "/ingestd.log");
  const auto pass = [&](const Tracee::Hit& hit) { tracee.resume(hit.thread); };
  load.connect(tracee, pass);
  load.burst(tracee, pass);
  Stepper stepper(tracee, directory.path() + "/segments/data", std::filesystem::canonical(ingestd).string(),
                  code, wanted.seed);
  const auto step = [&](const Tracee::Hit& hit) {
    if (stepper.chosen()) stepper.step_through(hit);
    tracee.resume(hit.thread);
  };
  const auto end = std::chrono::steady_clock::now() + wanted.seconds;
  for (std::uint64_t n = 1; stepper.counts().instructions < wanted.instructions; ++n) {
    if (std::chrono::steady_clock::now() > end) break;
    // Some transactions run freely, so that those that are stepped meet the segment in many states.
    stepper.choose_one_in(n % 4 == 0 ? 1 : 8);
    if (n % kChangeQuotasOneIn == 0) load.publish_quotas();
    load.burst(tracee, step);
  }
  return to_json(stepper);
}

}  // namespace
}  // namespace mayfly::test

int main(int argc, char** argv) {
  using namespace mayfly::test;
  if (argc < 5 || argc > 6) {
    std::fputs("usage: single_steps INGESTD SEED SECONDS INSTRUCTIONS [RANGES]\n", stderr);
    return kWrongUsage;
  }
  const Wanted wanted{std::strtoull(argv[2], nullptr, 10),
                      std::chrono::seconds(std::strtoull(argv[3], nullptr, 10)),
                      std::strtoull(argv[4], nullptr, 10)};
  try {
    std::puts(run(argv[1], wanted, argc == 6 ? read_ranges(argv[5]) : CodeRanges{}).dump().c_str());
    return 0;
  } catch (const NotPermitted& why) {
    std::fprintf(stderr, "single steps: not possible here: %s\n", why.what());
    return kNotHere;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "single steps, seed %s: %s\n", argv[2], error.what());
    return 1;
  }
}
