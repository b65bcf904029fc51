// A log query over everything that its reader may see. For a pool thread.
#pragma once

#include <vector>

#include "common/loki_answer.h"
#include "common/loki_request.h"
#include "relayd/loki_scan.h"

namespace mayfly::relayd {

struct LokiLogAnswer {
  std::vector<loki::Stream> streams;
  std::uint64_t entries = 0;
  loki::Warnings warnings;
};

struct LokiLogWish {
  loki::Span span;
  std::uint64_t limit = loki::kDefaultEntries;
  bool forward = false;
  std::uint64_t interval_ns = 0;
};

/// Over `directories`, each up to its next_seq. Errors: the budget's.
shm::Result<LokiLogAnswer> run_log_query(LokiScan& scan, const logql::LogQuery& query,
                                         const LokiLogWish& wish,
                                         const std::vector<shm::DirectoryInfo>& directories);

}  // namespace mayfly::relayd
