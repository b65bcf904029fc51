// The validator: recounts a segment file and holds every total against what the file says.
#pragma once

#include <string>
#include <vector>

#include "shm/clock.h"
#include "shm/result.h"

namespace mayfly::shm {

struct VerifyReport {
  bool ok = false;
  bool torn_copy = false;           // changed while it was read or copied: says nothing about the original
  bool pending = false;             // a transaction awaits roll-back; counted as ok if its roll-back is clean
  std::vector<std::string> errors;  // at most 100
};

/// Reads the whole file into private memory, rolls back what is pending there, and checks pages,
/// lists, index, sequence, totals and quotas. Bounded in time and memory by the file's size.
/// Errors: as Reader::open.
Result<VerifyReport> verify_file(const std::string& path, const Clocks* clocks = nullptr);

}  // namespace mayfly::shm
