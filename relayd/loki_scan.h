// Reading what a query needs, slice by slice, within its budget. For a pool thread.
#pragma once

#include <functional>
#include <vector>

#include "common/logql.h"
#include "common/loki_request.h"
#include "relayd/loki_budget.h"
#include "relayd/scoped_reader.h"

namespace mayfly::relayd {

class LokiScan {
 public:
  /// False: nothing more is wanted of this directory.
  using Sink = std::function<bool(const shm::RecordView& record)>;

  /// Both outlive the scan.
  LokiScan(const ScopedReader& reader, LokiBudget& budget) : reader_(reader), budget_(budget) {}

  const ScopedReader& reader() const { return reader_; }
  LokiBudget& budget() { return budget_; }

  /// Those that may have streams of the selector.
  std::vector<shm::DirectoryInfo> directories(const std::vector<logql::LabelMatcher>& selector) const {
    return directories(reader_, selector);
  }
  static std::vector<shm::DirectoryInfo> directories(const ScopedReader& reader,
                                                     const std::vector<logql::LabelMatcher>& selector);
  /// Hands out records of the span, in order of seq, up to what the directory held when `directory`
  /// was made. `from_seq`: the first one to look at. Errors: the budget's.
  shm::Status visit(const shm::DirectoryInfo& directory, const loki::Span& span, std::uint64_t from_seq,
                    const Sink& sink);
  /// The same from the span's beginning on.
  shm::Status visit(const shm::DirectoryInfo& directory, const loki::Span& span, const Sink& sink) {
    return visit(directory, span, reader_.seek_time(directory, span.start_ns), sink);
  }

 private:
  const ScopedReader& reader_;
  LokiBudget& budget_;
};

}  // namespace mayfly::relayd
