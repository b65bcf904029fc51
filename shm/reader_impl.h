// Behind shm/reader.h: walking the records of one directory in either direction.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shm/key_lookup.h"
#include "shm/reader.h"
#include "shm/segment_file.h"
#include "shm/segment_view.h"

namespace mayfly::shm {

/// What a visitor of records says.
enum class Visit { go_on, stop };

/// How often a read begins anew. A restart means that the writer turned over the pages in between:
/// so many in a row are not met in practice. Without a commit in between it is damage: a few will do.
class Attempts {
 public:
  Attempts(const SegmentView& view, std::uint32_t slot) : view_(view), slot_(slot) {}
  /// True while another try makes sense.
  bool again() {
    const Word generation = view_.generation(slot_);
    in_vain_ = begun_ > 0 && generation == generation_ ? in_vain_ + 1 : 0;
    generation_ = generation;
    if (begun_ >= kMost || in_vain_ >= kMostInVain) return false;
    ++begun_;
    return true;
  }
  std::uint32_t restarts() const { return begun_ - 1; }

 private:
  static constexpr std::uint32_t kMost = 64;
  static constexpr std::uint32_t kMostInVain = 4;
  const SegmentView& view_;
  std::uint32_t slot_;
  std::uint32_t begun_ = 0;
  std::uint32_t in_vain_ = 0;
  Word generation_ = 0;
};

class ReaderImpl {
 public:
  ReaderImpl(std::string file, std::optional<Mapping> map, const Word* base, const Geometry& geometry,
             const Clocks& clocks);

  std::string path;
  std::optional<Mapping> mapping;  // absent over a test's memory
  SegmentView view;
  std::uint64_t key_scans = 0;

  /// The directory's state, or nothing when that incarnation is gone.
  std::optional<CommittedState> state_of(const DirectoryInfo& directory) const;
  DirectoryInfo info_of(std::uint32_t slot, const CommittedState& state) const;

  /// Hands records from `from` on to `visit`, oldest first, dead ones left out. A record counts as
  /// dead if a commit up to `dead_until` killed it; 0: up to the newest commit there is.
  /// `place` is moved to where the next record is. Returns end, gone or broken, or record when stopped.
  template <class Visitor>
  Found walk(std::uint32_t slot, const CommittedState& state, Ref& place, Word dead_until, Visitor visit);
  /// Hands the live records of the directory to `visit`, newest first.
  template <class Visitor>
  Found walk_back(std::uint32_t slot, const CommittedState& state, Visitor visit);
  /// A place at or before the record `seq`, never after it.
  Found seek(const CommittedState& state, std::uint64_t seq, Ref& place);

  /// The same totals, with what is due by age counted as evicted.
  DirectoryInfo with_due_evicted(DirectoryInfo info, const CommittedState& state);
  /// One try at a snapshot. True when records and bytes are exactly the commit's.
  bool collect(std::uint32_t slot, const CommittedState& state, Reader::Snapshot& snapshot);

  /// The newest records of a key, newest first.
  struct KeyPieces {
    struct Piece {
      RecordView view;  // its texts are in `bytes`, from `at` on, if they are kept
      std::size_t at;
      Ref place;
    };
    std::vector<Piece> pieces;
    std::vector<char> bytes;
    bool keep_bytes = true;
  };
  /// One try. again: overtaken. absent: none, or none left.
  KeyLookup::Looked collect_key(std::uint32_t slot, const CommittedState& state, std::string_view key,
                                std::uint64_t n, const RecordFilter& filter, KeyPieces& out);
  /// Repeats collect_key(). False: by the index it cannot be had, or not well.
  bool pieces_of_key(const DirectoryInfo& directory, std::string_view key, std::uint64_t n,
                     const RecordFilter& filter, KeyPieces& out, std::optional<CommittedState>& state);
  /// get(), by a look at everything from the newest on.
  std::optional<RecordView> get_by_scan(const DirectoryInfo& directory, std::string_view key);

  static RecordView view_of(const FoundRecord& found);

 private:
  bool settle(std::uint32_t slot, const CommittedState& state, KeyPieces& found);

  PageImage image_;
};

template <class Visitor>
Found ReaderImpl::walk(std::uint32_t slot, const CommittedState& state, Ref& place, Word dead_until,
                       Visitor visit) {
  FoundRecord found;
  std::uint64_t last_seq = 0;
  const std::uint64_t enough = view.bytes_read() + 2 * view.geometry().total_bytes;
  for (std::uint32_t pages = view.geometry().pages + 1; pages > 0; --pages) {
    if (view.bytes_read() > enough) return Found::broken;
    if (place == state.commit.head || place == 0) return Found::end;
    Found got = view.load_page(place, state, image_, ref_offset(place));
    if (got != Found::record) return got;
    const Word dead = dead_until != 0 ? dead_until : view.generation(slot);
    std::uint32_t offset = ref_offset(place);
    while ((got = view.record_at(image_, offset, state, found)) == Found::record) {
      if (found.header.seq >= state.commit.next_seq) return Found::end;
      if (found.header.seq <= last_seq) return Found::broken;
      last_seq = found.header.seq;
      place = found.behind;
      if (found.header.death == 0 || found.header.death > dead) {
        if (visit(found) == Visit::stop) return Found::record;
      }
      if (found.spans_pages) break;
      offset = ref_offset(place);
    }
    if (got == Found::broken || got == Found::gone) return got;
    if (got == Found::end) {
      if (image_.is_head) return Found::end;
      place = image_.next;
    }
  }
  return Found::broken;
}

template <class Visitor>
Found ReaderImpl::walk_back(std::uint32_t slot, const CommittedState& state, Visitor visit) {
  struct Spot {
    std::uint32_t offset;
    std::uint64_t seq;
  };
  std::vector<Spot> spots;
  FoundRecord found;
  Ref place = state.commit.head;
  const std::uint64_t enough = view.bytes_read() + 4 * view.geometry().total_bytes;
  for (std::uint32_t pages = view.geometry().pages + 1; pages > 0 && place != 0; --pages) {
    if (view.bytes_read() > enough) return Found::broken;
    Found got = view.load_page(place, state, image_);
    if (got != Found::record) return got;
    const Word dead = view.generation(slot);
    spots.clear();
    std::uint32_t offset = 0;
    while ((got = view.record_at(image_, offset, state, found)) == Found::record) {
      if (!spots.empty() && found.header.seq <= spots.back().seq) return Found::broken;
      spots.push_back({offset, found.header.seq});
      if (found.spans_pages) break;
      offset = ref_offset(found.behind);
    }
    if (got == Found::broken || got == Found::gone) return got;
    for (auto spot = spots.rbegin(); spot != spots.rend(); ++spot) {
      got = view.record_at(image_, spot->offset, state, found);
      if (got != Found::record) return got;
      if (found.header.seq >= state.commit.next_seq) continue;
      if (found.header.seq < state.commit.first_seq) return Found::end;
      if (found.header.death != 0 && found.header.death <= dead) continue;
      if (visit(found) == Visit::stop) return Found::record;
    }
    place = image_.prev;
  }
  return place == 0 ? Found::end : Found::broken;
}

}  // namespace mayfly::shm
