#include "relayd/segment_access.h"

#include <utility>

namespace mayfly::relayd {

std::optional<ScopedReader> SegmentAccess::reader(const ReadScope& scope) const {
  shm::Reader* reader = segment_->current();
  if (reader == nullptr) return std::nullopt;
  return ScopedReader(*reader, scope);
}

void SegmentAccess::run(const ReadScope& scope, Work work, ReadPool::Done done) const {
  pool_->run(
      [scope, work = std::move(work)](shm::Reader* reader) {
        if (reader == nullptr) return work(nullptr);
        ScopedReader scoped(*reader, scope);
        work(&scoped);
      },
      std::move(done));
}

}  // namespace mayfly::relayd
