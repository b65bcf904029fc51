// A data segment as a stranger reads it: every number is checked before it is used, every loop is
// bounded, and what was copied counts only if the page was not reused meanwhile.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shm/clock.h"
#include "shm/geometry.h"
#include "shm/layout.h"

namespace mayfly::shm {

/// The state of one directory at one commit.
struct CommittedState {
  Word generation = 0;
  Commit commit{};
};

/// A page copied to private memory.
struct PageImage {
  Ref place = 0;            // offset 0
  std::uint32_t limit = 0;  // bytes of records in it
  bool is_head = false;     // the last page of the state it was read for
  Ref next = 0;
  Ref prev = 0;
  PageRole role = PageRole::free;
  std::vector<Word> words;
};

/// One record found in a page image, at a place, or in a run.
struct FoundRecord {
  RecordHeader header{};
  std::string_view key;  // into the image, or a buffer of the view
  std::string_view value;
  Ref behind = 0;  // where the next record starts: a place, or the head
  bool spans_pages = false;
};

enum class Found {
  record,
  end,     // of the page
  gone,    // overtaken: a page was reused. Start again from a newer commit
  broken,  // makes no sense: hostile bytes, or overtaken without the stamp showing it yet
};

class SegmentView {
 public:
  /// `base` outlives the view.
  SegmentView(const Word* base, const Geometry& geometry, const Clocks& clocks);

  const Header& header() const { return *reinterpret_cast<const Header*>(base_); }
  const Geometry& geometry() const { return geometry_; }
  const Clocks& clocks() const { return clocks_; }
  const WorkerArea& area(std::uint32_t i) const;
  // `i` is a directory's slot in those below.
  std::uint32_t slots_used() const;
  Word generation(std::uint32_t i) const;
  /// False when overtaken so often that somebody must be writing nonsense.
  bool load(std::uint32_t i, CommittedState& state) const;
  /// The name of an open directory; empty if it changed meanwhile.
  std::string load_name(std::uint32_t i, Word incarnation) const;
  /// False when the directory cannot be of that name: spares loading its commit.
  bool may_be_named(std::uint32_t i, std::string_view name) const;
  std::uint64_t free_pages() const;

  /// Copies the page at `place`, from its byte `from` on (rounded down to a word); the image means
  /// nothing before it.
  Found load_page(Ref place, const CommittedState& state, PageImage& image, std::uint32_t from = 0);
  /// Only links and the first record's header.
  Found peek_page(Ref place, const CommittedState& state, PageImage& image, RecordHeader& first);
  /// The record at `offset` of the image. Runs are gathered into a buffer of this view.
  Found record_at(const PageImage& image, std::uint32_t offset, const CommittedState& state,
                  FoundRecord& found);

  // --- one record by its place ---
  /// Copies the record at `place`, wherever that place came from; `found.behind` is not set. What is
  /// found is what stands there: whether it lives, and is the one looked for, is the caller's to check.
  Found load_record(Ref place, const CommittedState& state, FoundRecord& found);
  /// The header alone.
  Found load_header(Ref place, RecordHeader& header);
  /// True while the page is of the incarnation that `place` names and holds records of the
  /// directory: not given up, neither since its records died nor since they were moved.
  bool holds_records(std::uint32_t i, Ref place) const;
  /// A word of the record at `place` as it is now; 0 where the place makes no sense.
  Word prev_at(Ref place) const { return record_word(place, &RecordHeader::prev); }
  Word death_at(Ref place) const { return record_word(place, &RecordHeader::death); }
  /// Asks for what load_record() and holds_records() will look at.
  void prefetch(Ref place) const;
  /// The shared words of a page.
  const Word* page(std::uint32_t number) const;

  // --- what is not committed yet ---
  /// Where a word is, as undo logs say it.
  std::uint64_t offset_of(const Word* word) const {
    return static_cast<std::uint64_t>(reinterpret_cast<const char*>(word) -
                                      reinterpret_cast<const char*>(base_));
  }
  /// Hands (offset, old value) of every change that the open transaction after `generation` has made
  /// to directory `i` to `visit`, the newest first: whoever applies them all to words that were read
  /// before this call has what they held at that commit, if the generation is still the same afterwards.
  template <class Visitor>
  void visit_uncommitted(std::uint32_t i, Word generation, Visitor visit) const;

  /// The boot-time clock now, or of the last heartbeat where the segment is of another boot.
  std::uint64_t boot_now() const;
  bool same_boot() const { return same_boot_; }
  std::uint64_t bytes_read() const { return bytes_read_; }
  void count_read(std::uint64_t bytes) { bytes_read_ += bytes; }

 private:
  const Slot& slot(std::uint32_t i) const;
  bool valid(Ref place) const { return place != 0 && ref_page(place) < geometry_.pages; }
  const Word* stamp_word(std::uint32_t number) const;
  const Word* page_word(std::uint32_t number) const;
  Word stamp_of(Ref place) const { return load_acquire(stamp_word(ref_page(place))) & kStampMask; }
  Found load_links(Ref place, const CommittedState& state, PageImage& image);
  Found gather_run(const PageImage& image, const CommittedState& state, std::uint64_t bytes,
                   FoundRecord& found);
  /// The record's words, or null where none can begin.
  const Word* record_words(Ref place) const;
  Word record_word(Ref place, Word RecordHeader::*member) const;
  const UndoPair* undo_pairs(std::uint32_t area_index) const;

  const Word* base_;
  Geometry geometry_;
  const Clocks& clocks_;
  bool same_boot_;
  std::uint64_t bytes_read_ = 0;
  PageImage run_page_;
  std::string run_;
  PageImage run_start_;
  std::vector<Word> record_;
};

template <class Visitor>
void SegmentView::visit_uncommitted(std::uint32_t i, Word generation, Visitor visit) const {
  for (std::uint32_t a = 0; a < geometry_.worker_areas; ++a) {
    const WorkerArea& log = area(a);
    // Stored in the other order: what is seen of the target was begun for this slot, or is over.
    if (load_acquire(&log.undo_target) != generation + 1 || load_acquire(&log.undo_slot) != i) continue;
    const UndoPair* pairs = undo_pairs(a);
    // SYNC POINT: pairs with the store in Transaction::set. A change that was seen before this load
    // was counted before it was made.
    for (Word n = std::min<Word>(load_acquire(&log.undo_count), geometry_.undo_pairs); n-- > 0;) {
      visit(load_acquire(&pairs[n].offset), load_acquire(&pairs[n].old_value));
    }
  }
}

/// True when a record of this header is older than the directory's max_age at `boot_now`.
bool is_due(const RecordHeader& header, const Commit& commit, std::uint64_t boot_now);

}  // namespace mayfly::shm
