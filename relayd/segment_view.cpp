#include "relayd/segment_view.h"

#include <utility>

namespace mayfly::relayd {

void SegmentView::count() {
  if (!reader_ || counts_ == nullptr) return;
  counts_->segment_bytes += reader_->bytes_read() - std::exchange(counted_bytes_, reader_->bytes_read());
  counts_->key_scans += reader_->key_scans() - std::exchange(counted_scans_, reader_->key_scans());
}

shm::Reader* SegmentView::current() {
  count();
  if (reader_ && !reader_->replaced()) return &*reader_;
  reader_.reset();
  counted_bytes_ = counted_scans_ = 0;
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
