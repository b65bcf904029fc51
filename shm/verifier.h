// Behind shm/verify.h: holds one private, rolled-back image of a segment against itself, and looks
// for signs that parts of it are newer than its commits (a file copied while it was written).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "shm/segment.h"
#include "shm/verify.h"

namespace mayfly::shm {

class Verifier {
 public:
  Verifier(const Segment& segment, VerifyReport& report) : segment_(segment), report_(report) {}

  void run();
  /// True when what is wrong is explained by a copy taken while the segment was written. One damaged
  /// word does not do: each sign needs words that agree with one another.
  bool newer_than_its_commits() const;

 private:
  struct Place {
    Ref ref;
    std::uint64_t bytes;  // of key and value
  };
  /// What the list of pages says of one key.
  struct KeyCount {
    std::vector<Place> places;  // live ones, oldest first
    std::uint64_t bytes = 0;
    std::uint32_t hash_low = 0;
  };
  using Keys = std::map<std::string, KeyCount, std::less<>>;

  void error(const std::string& what);
  void check(bool ok, const char* what) {
    if (!ok) error(what);
  }
  void check_page(bool ok, std::uint32_t page, const char* what) {
    if (!ok) error("page " + std::to_string(page) + " " + what);
  }
  void check_total(const char* what, std::uint64_t said, std::uint64_t found);
  bool page_ok(Ref ref) const;
  RecordHeader header_at(Ref place) const;

  // verifier.cpp: a directory's records
  void check_directory(std::uint32_t slot);
  void check_totals(const Commit& c);
  void check_links(const KeyCount& key);
  void walk_pages(std::uint32_t slot, const Commit& c);
  bool list_pages(std::uint32_t slot, const Commit& c, std::vector<std::uint32_t>& list);
  Ref first_page(const Commit& c);
  bool take_page(std::uint32_t slot, std::uint32_t page, bool index);
  void visit_page(std::uint32_t page, std::uint32_t limit);
  void visit_record(Ref place, const RecordHeader& header, std::string_view key);
  std::string key_at(std::uint32_t page, std::uint32_t offset, std::uint64_t bytes) const;

  // verifier_index.cpp: its index, and all pages
  void check_index(std::uint32_t slot, const Commit& c);
  void check_index_page(std::uint32_t page, std::uint32_t root_slot);
  void check_entry(const IndexEntry& entry);
  void check_pages();

  // verifier_newer.cpp: signs of a copy taken while the segment was written
  bool newer_place(Ref place) const;
  bool stamp_to_come(Ref place) const;
  void note_move(Ref said, Ref listed);
  void note_to_come(Ref place);
  bool page_given_up(Ref place) const;
  void note_newer_behind(std::uint32_t page);
  void note_newer_before(std::uint32_t page);
  bool newer_entry(const IndexEntry& entry, const KeyCount& key) const;
  bool removed_entry(const IndexEntry& entry) const;
  bool newer_page(std::uint32_t page, Word word) const;
  bool unlinked_page(std::uint32_t page) const;

  const Segment& segment_;
  VerifyReport& report_;
  std::vector<std::uint8_t> seen_;  // by page: 1 = in a list or an index
  std::uint64_t newer_signs_ = 0;
  std::uint64_t moves_to_come_ = 0;   // single words that only fit a later state
  std::uint64_t late_deaths_ = 0;     // in directories with other errors
  bool next_commits_deaths_ = false;  // one of them by the very next commits
  // of the directory at hand
  std::string where_;
  std::uint32_t slot_ = 0;
  Commit commit_{};
  Word generation_ = 0;
  Keys keys_;
  std::unordered_multimap<std::uint32_t, const KeyCount*> by_hash_;
  std::uint64_t records_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t entries_ = 0;
  std::uint64_t last_seq_ = 0;
  std::uint64_t first_live_seq_ = 0;
  Ref first_live_ = 0;
  bool list_is_whole_ = true;   // its links lead from tail to head
  std::uint64_t run_left_ = 0;  // pages that the run at hand still has
  std::uint64_t errors_ = 0;    // of the directory at hand
  std::uint64_t deaths_ = 0;    // after its commit
  bool near_death_ = false;
};

}  // namespace mayfly::shm
