// A copy of a segment that follows the original: what either changed since is known word by word,
// so that bringing it up to date costs what was changed, not the segment's size.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "shm/word.h"

namespace mayfly::shm::test {

class Shadow {
 public:
  explicit Shadow(const std::vector<Word>& original) : original_(original), words_(original) {}

  Word* data() { return words_.data(); }
  const Word* words() const { return words_.data(); }
  bool holds(const Word* word) const { return word >= words_.data() && word < words_.data() + words_.size(); }

  /// The original's word, or this copy's own, was stored to.
  void note(std::size_t index) { changed_.push_back(static_cast<std::uint32_t>(index)); }
  void note_own(const Word* word) { note(static_cast<std::size_t>(word - words_.data())); }

  /// Makes the copy equal to the original again.
  void follow() {
    for (const std::uint32_t i : changed_) words_[i] = original_[i];
    changed_.clear();
  }
  /// Both follow the same original: true if they were changed to the same words, but for the one at `except`.
  bool same_changes(const Shadow& other, std::size_t except) const {
    const auto same = [&](const std::vector<std::uint32_t>& changed) {
      return std::all_of(changed.begin(), changed.end(),
                         [&](std::uint32_t i) { return i == except || words_[i] == other.words_[i]; });
    };
    return same(changed_) && same(other.changed_);
  }
  /// After follow(): false if a store was not noted.
  bool equals_original() const {
    return std::memcmp(words_.data(), original_.data(), words_.size() * sizeof(Word)) == 0;
  }

 private:
  const std::vector<Word>& original_;
  std::vector<Word> words_;
  std::vector<std::uint32_t> changed_;
};

}  // namespace mayfly::shm::test
