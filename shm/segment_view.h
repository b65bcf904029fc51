// A data segment as a stranger reads it: every number is checked before it is used, every loop is
// bounded, and what was copied counts only if the page was not reused meanwhile.
#pragma once

#include <cstdint>
#include <string>
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

/// One record found in a page image or a run.
struct FoundRecord {
  RecordHeader header{};
  std::string_view key;  // into the image, or the run buffer
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
  std::uint64_t free_pages() const;

  /// Copies the whole page at `place` (its offset is ignored).
  Found load_page(Ref place, const CommittedState& state, PageImage& image);
  /// Only links and the first record's header.
  Found peek_page(Ref place, const CommittedState& state, PageImage& image, RecordHeader& first);
  /// The record at `offset` of the image. Runs are gathered into a buffer of this view.
  Found record_at(const PageImage& image, std::uint32_t offset, const CommittedState& state,
                  FoundRecord& found);

  /// The boot-time clock now, or of the last heartbeat where the segment is of another boot.
  std::uint64_t boot_now() const;
  bool same_boot() const { return same_boot_; }
  std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  const Slot& slot(std::uint32_t i) const;
  bool valid(Ref place) const;
  Word stamp_of(Ref place) const;
  Found load_links(Ref place, const CommittedState& state, PageImage& image);
  Found gather_run(const PageImage& image, const CommittedState& state, std::uint64_t bytes,
                   FoundRecord& found);

  const Word* base_;
  Geometry geometry_;
  const Clocks& clocks_;
  bool same_boot_;
  std::uint64_t bytes_read_ = 0;
  PageImage run_page_;
  std::string run_;
};

/// True when a record of this header is older than the directory's max_age at `boot_now`.
bool is_due(const RecordHeader& header, const Commit& commit, std::uint64_t boot_now);

}  // namespace mayfly::shm
