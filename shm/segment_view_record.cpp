// One record by its place, without the page around it: what lookups by key read.
#include <algorithm>

#include "shm/segment_view.h"

namespace mayfly::shm {
namespace {

constexpr std::uint32_t kLineBytes = 64;
constexpr std::uint32_t kPrefetchLines = 4;  // a header and about 200 bytes of key and value

}  // namespace

const Word* SegmentView::page(std::uint32_t number) const {
  return reinterpret_cast<const Word*>(reinterpret_cast<const char*>(base_) + geometry_.pages_at +
                                       std::uint64_t{number} * geometry_.page_bytes);
}

const UndoPair* SegmentView::undo_pairs(std::uint32_t area_index) const {
  return reinterpret_cast<const UndoPair*>(reinterpret_cast<const char*>(&area(area_index)) +
                                           sizeof(WorkerArea));
}

const Word* SegmentView::record_words(Ref place) const {
  if (!valid(place) || geometry_.page_bytes - ref_offset(place) < kRecordHeaderBytes ||
      ref_offset(place) >= geometry_.page_bytes) {
    return nullptr;
  }
  return page(ref_page(place)) + ref_offset(place) / 8;
}

Word SegmentView::record_word(Ref place, Word RecordHeader::*member) const {
  const Word* words = record_words(place);
  return words != nullptr ? load_acquire(&(reinterpret_cast<const RecordHeader*>(words)->*member)) : 0;
}

bool SegmentView::holds_records(std::uint32_t i, Ref place) const {
  if (!valid(place)) return false;
  const Word word = load_acquire(page_word(ref_page(place)));
  const PageRole role = page_role(word);
  return word != 0 && page_owner(word) == i && (role == PageRole::records || role == PageRole::run) &&
         stamp_of(place) == ref_stamp(place);
}

void SegmentView::prefetch(Ref place) const {
  const Word* words = record_words(place);
  if (words == nullptr) return;
  __builtin_prefetch(page_word(ref_page(place)));
  __builtin_prefetch(stamp_word(ref_page(place)));
  for (std::uint32_t line = 0; line < kPrefetchLines; ++line) {
    __builtin_prefetch(reinterpret_cast<const char*>(words) + line * kLineBytes);
  }
}

Found SegmentView::load_header(Ref place, RecordHeader& header) {
  const Word* words = record_words(place);
  if (words == nullptr) return Found::broken;
  copy_out(&header, words, kRecordHeaderBytes / 8);
  bytes_read_ += kRecordHeaderBytes;
  // SYNC POINT: as in load_page().
  return stamp_of(place) == ref_stamp(place) ? Found::record : Found::gone;
}

Found SegmentView::load_record(Ref place, const CommittedState& state, FoundRecord& found) {
  const Found got = load_header(place, found.header);
  if (got != Found::record) return got;
  const std::uint64_t key_bytes = key_bytes_of(found.header.lengths);
  const std::uint64_t value_bytes = value_bytes_of(found.header.lengths);
  if (key_bytes + value_bytes > kMaxRecordBytes) return Found::broken;
  const std::uint64_t bytes = record_bytes(key_bytes, value_bytes);
  found.behind = 0;
  found.spans_pages = bytes > geometry_.page_bytes;
  if (found.spans_pages) {
    if (ref_offset(place) != 0) return Found::broken;
    const Found page = load_page(place, state, run_start_);
    return page == Found::record ? record_at(run_start_, 0, state, found) : page;
  }
  if (bytes > geometry_.page_bytes - ref_offset(place)) return Found::broken;
  const std::size_t rest = (bytes - kRecordHeaderBytes) / 8;
  if (record_.size() < rest) record_.resize(rest);
  copy_out(record_.data(), record_words(place) + kRecordHeaderBytes / 8, rest);
  bytes_read_ += rest * 8;
  // SYNC POINT: as in load_page().
  if (stamp_of(place) != ref_stamp(place)) return Found::gone;
  const char* text = reinterpret_cast<const char*>(record_.data());
  found.key = {text, key_bytes};
  found.value = {text + key_bytes, value_bytes};
  return Found::record;
}

}  // namespace mayfly::shm
