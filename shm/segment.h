// Typed access to the parts of a data segment in memory, and the transaction on it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "shm/geometry.h"
#include "shm/layout.h"

namespace mayfly::shm {

/// A mapped segment whose header was checked. Does not own the memory. Indexes are the caller's to check.
class Segment {
 public:
  Segment(Word* base, const Geometry& geometry)
      : base_(reinterpret_cast<char*>(base)),
        page_shift_(static_cast<std::uint32_t>(std::countr_zero(geometry.page_bytes))),
        pages_(base_ + geometry.pages_at),
        pages_bytes_(std::uint64_t{geometry.pages} << page_shift_),
        geometry_(geometry) {}

  const Geometry& geometry() const { return geometry_; }
  Header& header() const { return *at<Header>(0); }
  WorkerArea& area(std::uint32_t i) const {
    return *at<WorkerArea>(geometry_.areas_at + i * geometry_.area_bytes);
  }
  UndoPair* undo_pairs(std::uint32_t i) const {
    return at<UndoPair>(geometry_.areas_at + i * geometry_.area_bytes + sizeof(WorkerArea));
  }
  Slot& slot(std::uint32_t i) const {
    return *at<Slot>(geometry_.slots_at + std::uint64_t{i} * sizeof(Slot));
  }
  Word& stamp(std::uint32_t page) const { return *at<Word>(geometry_.stamps_at + std::uint64_t{page} * 8); }
  Word& page_word(std::uint32_t page) const {
    return *at<Word>(geometry_.page_words_at + std::uint64_t{page} * 8);
  }
  PageLine& line(std::uint32_t page) const {
    return *at<PageLine>(geometry_.lines_at + std::uint64_t{page} * sizeof(PageLine));
  }
  Word* page(std::uint32_t page) const {
    return reinterpret_cast<Word*>(pages_ + (std::uint64_t{page} << page_shift_));
  }
  Word* word_at(std::uint64_t offset) const { return at<Word>(offset); }
  std::uint64_t offset_of(const Word* word) const {
    return static_cast<std::uint64_t>(reinterpret_cast<const char*>(word) - base_);
  }
  /// The place's address; null when it lies beyond the pages. A place beyond its own page, which no
  /// writer makes, is not noticed here.
  MAYFLY_HOT char* address_of(Ref ref, std::uint32_t bytes) const {
    const std::uint64_t at = (std::uint64_t{ref_page(ref)} << page_shift_) + ref_offset(ref);
    return at + bytes <= pages_bytes_ ? pages_ + at : nullptr;
  }
  /// The page's present incarnation, as a place at `offset` in it.
  Ref place(std::uint32_t page_number, std::uint32_t offset) const {
    return make_ref(load_relaxed(&stamp(page_number)), page_number, offset);
  }

 private:
  template <class T>
  T* at(std::uint64_t offset) const {
    return reinterpret_cast<T*>(base_ + offset);
  }
  char* base_;
  std::uint32_t page_shift_;
  char* pages_;
  std::uint64_t pages_bytes_;
  Geometry geometry_;
};

/// One transaction on one directory at a time: changes in place are logged first, so that recovery
/// can put them back. Ended by the directory's commit. Not thread-safe: one per worker.
class Transaction {
 public:
  Transaction(const Segment& segment, std::uint32_t area)
      : segment_(segment), area_(&segment.area(area)), pairs_(segment.undo_pairs(area)), id_(area) {}

  void begin(std::uint32_t slot, Word target_generation) {
    id_ += 64;  // more than there are workers: no two share a number
    target_ = target_generation;
    store_release(&area_->undo_slot, slot);
    store_release(&area_->undo_target, target_generation);
  }
  /// Logs the old value, then stores the new one.
  MAYFLY_HOT void set(Word& word, Word value MAYFLY_SITE) {
    UndoPair& pair = pairs_[count_];
    store_release(&pair.offset, segment_.offset_of(&word) MAYFLY_PASS_SITE);
    store_release(&pair.old_value, load_relaxed(&word) MAYFLY_PASS_SITE);
    store_release(&area_->undo_count, ++count_ MAYFLY_PASS_SITE);
    store_release(&word, value MAYFLY_PASS_SITE);
  }
  /// After the generation word was stored: nothing is to be undone any more.
  void end() {
    count_ = 0;
    store_release(&area_->undo_count, 0);
  }
  /// Changes that still fit.
  std::uint32_t room() const { return segment_.geometry().undo_pairs - count_; }
  Word target() const { return target_; }
  /// Differs for every transaction of this worker; never 0.
  Word id() const { return id_; }

 private:
  const Segment& segment_;
  WorkerArea* area_;
  UndoPair* pairs_;
  std::uint32_t count_ = 0;
  Word target_ = 0;
  Word id_;
};

}  // namespace mayfly::shm
