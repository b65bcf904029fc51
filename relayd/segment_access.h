// The one way from a handler to the data segment: with the scope of who asks.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "relayd/read_pool.h"
#include "relayd/scoped_reader.h"
#include "relayd/segment_view.h"

namespace mayfly::relayd {

/// Copyable; what it refers to outlives it. Belongs to the loop's thread.
class SegmentAccess {
 public:
  /// On a pool thread. `reader` is null while there is no segment.
  using Work = std::function<void(ScopedReader* reader)>;

  SegmentAccess(SegmentView& segment, ReadPool& pool) : segment_(&segment), pool_(&pool) {}

  /// The segment now; nothing while there is none (problem() says why). Valid until the next call.
  std::optional<ScopedReader> reader(const ReadScope& scope) const;
  /// For reads that are too long for the loop. `done` is called on the loop.
  void run(const ReadScope& scope, Work work, ReadPool::Done done) const;

  /// The instance of what reader() returned last.
  std::uint64_t instance() const { return segment_->instance(); }
  const std::string& problem() const { return segment_->problem(); }
  const shm::Clocks& clocks() const { return segment_->clocks(); }

 private:
  SegmentView* segment_;
  ReadPool* pool_;
};

}  // namespace mayfly::relayd
