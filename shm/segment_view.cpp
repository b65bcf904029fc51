#include "shm/segment_view.h"

#include <algorithm>

#include "shm/segment_file.h"

namespace mayfly::shm {
namespace {

constexpr int kLoadAttempts = 1000;  // each failure means that the writer committed twice meanwhile

template <class T>
const T& part(const Word* base, std::uint64_t offset) {
  return *reinterpret_cast<const T*>(reinterpret_cast<const char*>(base) + offset);
}

}  // namespace

SegmentView::SegmentView(const Word* base, const Geometry& geometry, const Clocks& clocks)
    : base_(base), geometry_(geometry), clocks_(clocks) {
  const BootId boot = current_boot_id();
  same_boot_ = header().constants.boot_id_low == boot.low && header().constants.boot_id_high == boot.high;
}

const WorkerArea& SegmentView::area(std::uint32_t i) const {
  return part<WorkerArea>(base_, geometry_.areas_at + i * geometry_.area_bytes);
}

const Slot& SegmentView::slot(std::uint32_t i) const {
  return part<Slot>(base_, geometry_.slots_at + std::uint64_t{i} * sizeof(Slot));
}

std::uint32_t SegmentView::slots_used() const {
  return static_cast<std::uint32_t>(
      std::min<Word>(load_acquire(&header().state.slots_used), geometry_.slots));
}

Word SegmentView::generation(std::uint32_t i) const {
  return i < geometry_.slots ? load_acquire(&slot(i).generation) : 0;
}

bool SegmentView::load(std::uint32_t i, CommittedState& state) const {
  if (i >= geometry_.slots) return false;
  const Slot& shared = slot(i);
  for (int attempt = 0; attempt < kLoadAttempts; ++attempt) {
    // SYNC POINT: pairs with the store in Directory::commit. The copy of this generation is only
    // written again after the next generation was stored.
    state.generation = load_acquire(&shared.generation);
    copy_out(&state.commit, reinterpret_cast<const Word*>(&shared.copies[state.generation & 1]),
             kCommitWords);
    if (load_acquire(&shared.generation) == state.generation) return true;
  }
  return false;
}

std::string SegmentView::load_name(std::uint32_t i, Word incarnation) const {
  const Slot& shared = slot(i);
  const Word bytes = load_acquire(&shared.name_bytes);
  char text[kMaxNameBytes];
  copy_out(text, shared.name, kMaxNameBytes / 8);
  CommittedState state;
  if (!load(i, state) || state.commit.state != kStateOpen || state.commit.incarnation != incarnation ||
      bytes > kMaxNameBytes) {
    return {};
  }
  std::string name(text, bytes);
  return valid_directory_name(name) ? name : std::string{};
}

bool SegmentView::may_be_named(std::uint32_t i, std::string_view name) const {
  const Slot& shared = slot(i);
  if (load_acquire(&shared.name_bytes) != name.size() || name.empty()) return false;
  Word first = 0;
  std::memcpy(&first, name.data(), std::min(name.size(), sizeof first));
  return load_acquire(&shared.name[0]) == first;
}

std::uint64_t SegmentView::free_pages() const {
  std::uint64_t free = 0;
  for (std::uint32_t page = 0; page < geometry_.pages; ++page) {
    free += load_acquire(page_word(page)) == 0 ? 1 : 0;
  }
  return free;
}

const Word* SegmentView::stamp_word(std::uint32_t number) const {
  return &part<Word>(base_, geometry_.stamps_at + std::uint64_t{number} * 8);
}

const Word* SegmentView::page_word(std::uint32_t number) const {
  return &part<Word>(base_, geometry_.page_words_at + std::uint64_t{number} * 8);
}

Found SegmentView::load_links(Ref place, const CommittedState& state, PageImage& image) {
  if (!valid(place)) return Found::broken;
  const Ref head = state.commit.head;
  const PageLine& line =
      part<PageLine>(base_, geometry_.lines_at + std::uint64_t{ref_page(place)} * sizeof(PageLine));
  image.place = place - ref_offset(place) / 8;
  image.next = load_acquire(&line.next);
  image.prev = load_acquire(&line.prev);
  image.role = static_cast<PageRole>(load_acquire(&line.role) & 0xf);
  const Word fill = load_acquire(&line.fill);
  image.is_head = valid(head) && ref_page(head) == ref_page(place) && ref_stamp(head) == ref_stamp(place);
  const Word limit = image.is_head ? ref_offset(head) : fill;
  if (stamp_of(place) != ref_stamp(place)) return Found::gone;
  if (limit > geometry_.page_bytes) return Found::broken;
  // Not sealed and not the head: opened after the state that is being read.
  if (limit == 0) return Found::gone;
  image.limit = static_cast<std::uint32_t>(limit);
  return Found::record;
}

Found SegmentView::load_page(Ref place, const CommittedState& state, PageImage& image, std::uint32_t from) {
  const Found links = load_links(place, state, image);
  if (links != Found::record) return links;
  image.words.resize(geometry_.page_bytes / 8);
  const std::size_t first = from / 8;
  const std::size_t end = words_for(image.limit);
  const std::size_t words = end > first ? end - first : 0;
  copy_out(image.words.data() + first, page(ref_page(place)) + first, words);
  bytes_read_ += words * 8;
  // SYNC POINT: pairs with the stamp's store in Directory::claim_page. Had the copy seen a byte of
  // the page's next life, this load would see that life's stamp.
  return stamp_of(place) == ref_stamp(place) ? Found::record : Found::gone;
}

Found SegmentView::peek_page(Ref place, const CommittedState& state, PageImage& image, RecordHeader& first) {
  const Found links = load_links(place, state, image);
  if (links != Found::record) return links;
  if (image.limit < kRecordHeaderBytes && image.role != PageRole::continuation) return Found::broken;
  copy_out(&first, page(ref_page(place)), kRecordHeaderBytes / 8);
  bytes_read_ += kRecordHeaderBytes;
  return stamp_of(place) == ref_stamp(place) ? Found::record : Found::gone;
}

Found SegmentView::record_at(const PageImage& image, std::uint32_t offset, const CommittedState& state,
                             FoundRecord& found) {
  if (offset == image.limit || image.role == PageRole::continuation) return Found::end;
  if (offset > image.limit || image.limit - offset < kRecordHeaderBytes) return Found::broken;
  const char* const at = reinterpret_cast<const char*>(image.words.data()) + offset;
  std::memcpy(&found.header, at, sizeof found.header);
  const std::uint64_t key_bytes = key_bytes_of(found.header.lengths);
  const std::uint64_t value_bytes = value_bytes_of(found.header.lengths);
  const std::uint64_t bytes = record_bytes(key_bytes, value_bytes);
  if (key_bytes + value_bytes > kMaxRecordBytes) return Found::broken;
  found.spans_pages = image.role == PageRole::run;
  if (found.spans_pages) return offset == 0 ? gather_run(image, state, bytes, found) : Found::broken;
  if (bytes > image.limit - offset) return Found::broken;
  found.key = {at + kRecordHeaderBytes, key_bytes};
  found.value = {at + kRecordHeaderBytes + key_bytes, value_bytes};
  found.behind = image.place + (offset + bytes) / 8;
  return Found::record;
}

Found SegmentView::gather_run(const PageImage& image, const CommittedState& state, std::uint64_t bytes,
                              FoundRecord& found) {
  if (bytes <= geometry_.page_bytes || bytes > geometry_.total_bytes) return Found::broken;
  run_.clear();
  run_.reserve(bytes);
  run_.append(reinterpret_cast<const char*>(image.words.data()), geometry_.page_bytes);
  Ref next = image.next;
  bool is_head = false;
  while (run_.size() < bytes) {
    if (!valid(next)) return Found::gone;
    const Found page = load_page(next, state, run_page_);
    if (page != Found::record) return page;
    if (run_page_.role != PageRole::continuation) return Found::gone;
    const std::uint64_t piece = std::min<std::uint64_t>(bytes - run_.size(), geometry_.page_bytes);
    if (piece > run_page_.limit) return Found::broken;
    run_.append(reinterpret_cast<const char*>(run_page_.words.data()), piece);
    next = run_page_.next;
    is_head = run_page_.is_head;
  }
  const std::uint64_t key_bytes = key_bytes_of(found.header.lengths);
  found.key = std::string_view(run_).substr(kRecordHeaderBytes, key_bytes);
  found.value =
      std::string_view(run_).substr(kRecordHeaderBytes + key_bytes, value_bytes_of(found.header.lengths));
  found.behind = is_head ? state.commit.head : next;
  return Found::record;
}

std::uint64_t SegmentView::boot_now() const {
  if (same_boot_) return clocks_.boot_ns();
  Word last = 0;
  for (std::uint32_t i = 0; i < geometry_.worker_areas; ++i) {
    last = std::max(last, load_acquire(&area(i).heartbeat_boot_ns));
  }
  return last;
}

bool is_due(const RecordHeader& header, const Commit& commit, std::uint64_t boot_now) {
  const std::uint64_t age = boot_now > header.boot_ns ? boot_now - header.boot_ns : 0;
  return age / 1'000'000'000 >= commit.max_age_seconds;
}

}  // namespace mayfly::shm
