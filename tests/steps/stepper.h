// Steps a real ingestd through its transactions, and examines what a kill after each instruction would leave.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "shm/segment_file.h"
#include "tests/crash/examiner.h"
#include "tests/crash/pending.h"
#include "tests/steps/stores.h"
#include "tests/steps/tracee.h"

namespace mayfly::test {

struct StepCounts {
  std::uint64_t windows = 0;          // transactions stepped through
  std::uint64_t instructions = 0;     // from the first store of one to its last
  std::uint64_t in_segment_code = 0;  // of them
  std::map<std::string, std::uint64_t> kinds;
};

/// Addresses of code, relative to where the program is mapped.
using CodeRanges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;  // begin, end; ascending

class Stepper {
 public:
  /// `segment_path`: the data segment, mapped by the program by now. `code`: of the segment library.
  Stepper(Tracee& tracee, const std::string& segment_path, const std::string& program, CodeRanges code,
          std::uint64_t seed);

  /// Steps the thread that hit a watched word through its transaction. Throws Finding.
  void step_through(const Tracee::Hit& hit);
  /// Whether that one is to be stepped through, or may run on.
  bool chosen() { return random_() % one_in_ == 0; }
  void choose_one_in(std::uint64_t n) { one_in_ = n; }

  const StepCounts& counts() const { return counts_; }
  const shm::test::CrashCounts& crash_counts() const { return crash_counts_; }

 private:
  std::uint64_t offset_in_segment(std::uint64_t address) const { return address - base_; }
  bool take_over(std::uint64_t offset, std::uint64_t bytes);
  void catch_up();
  bool in_segment_code(std::uint64_t rip) const;
  void note_kind(std::uint32_t area, std::uint64_t logged);
  void learn(std::uint64_t rip);
  bool last_store(std::uint32_t area, std::uint64_t offset) const;

  Tracee& tracee_;
  shm::Mapping mapping_;
  shm::Geometry geometry_;
  std::vector<shm::Word> mirror_;  // of the live segment, as of the last stop
  shm::Segment live_;
  CodeRanges code_;
  std::uint64_t base_ = 0;       // of the segment in the program
  std::uint64_t code_base_ = 0;  // of the program
  StoreDecoder decoder_;
  StepCounts counts_;
  shm::test::CrashCounts crash_counts_;
  std::unique_ptr<shm::test::Examiner> examiner_;
  std::mt19937_64 random_;
  std::uint64_t one_in_ = 1;
  std::string where_;
};

}  // namespace mayfly::test
