#include "relayd/segment_view.h"

#include <utility>

namespace mayfly::relayd {

shm::Reader* SegmentView::current() {
  if (reader_ && !reader_->replaced()) return &*reader_;
  reader_.reset();
  auto opened = shm::Reader::open(path_, &clocks_);
  if (!opened.ok()) {
    problem_ = opened.error().text;
    return nullptr;
  }
  problem_.clear();
  reader_.emplace(std::move(opened.value()));
  instance_ = reader_->info().instance;
  return &*reader_;
}

}  // namespace mayfly::relayd
