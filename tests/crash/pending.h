// What an unfinished transaction was about, told from its undo log.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shm/segment.h"

namespace mayfly::shm::test {

/// A copy of one worker's undo log, taken while its writer did not run.
struct PendingLog {
  std::uint32_t area = 0;  // whose log: a worker's, or that of the thread that applies quotas
  std::uint32_t slot = 0;
  Word target = 0;
  std::vector<UndoPair> pairs;
};

/// The logs of all workers that have something to roll back. Safe on a segment that changes: a log that did
/// is left out.
std::vector<PendingLog> pending_logs(const Segment& segment);

/// `move` (records of sparse pages into a fresh one), `free` (pages given up), `evict` (marks and no new
/// record yet: the only thing that a change of quotas logs), or `write`.
std::string kind_of(const Segment& segment, const PendingLog& log);

}  // namespace mayfly::shm::test
