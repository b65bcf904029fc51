// The data segment as one thread sees it: absent, there, or replaced by another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "relayd/reading_counts.h"
#include "shm/reader.h"

namespace mayfly::relayd {

/// One thread. Every use looks at the path anew, so an answer never comes from a segment that was
/// replaced before the request.
class SegmentView {
 public:
  /// What is read is added to `counts` (null: nowhere) at the next current().
  SegmentView(std::string path, const shm::Clocks& clocks, ReadCounts* counts = nullptr)
      : path_(std::move(path)), clocks_(clocks), counts_(counts) {}

  /// The reader of the segment that the path names now; null while there is none (problem() says why).
  /// Valid until the next call.
  shm::Reader* current();
  /// The instance of what current() returned last.
  std::uint64_t instance() const { return instance_; }
  const std::string& problem() const { return problem_; }
  const shm::Clocks& clocks() const { return clocks_; }

 private:
  void count();

  std::string path_;
  const shm::Clocks& clocks_;
  ReadCounts* counts_;
  std::optional<shm::Reader> reader_;
  std::uint64_t counted_bytes_ = 0;  // of reader_, in counts_
  std::uint64_t counted_scans_ = 0;
  std::uint64_t instance_ = 0;
  std::string problem_ = "the data segment was not opened yet";
};

}  // namespace mayfly::relayd
