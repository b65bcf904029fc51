// The relay's list of directories, made ready for look-ups.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shm/control.h"
#include "shm/writer.h"

namespace mayfly::ingestd {

/// A directory's name within its kind: `log` and `status` share no names.
struct DirectoryKey {
  shm::Kind kind;
  std::string name;
};

/// Orders DirectoryKeys, and finds them by views.
struct DirectoryKeyLess {
  using is_transparent = void;
  using View = std::pair<shm::Kind, std::string_view>;
  static View view(const DirectoryKey& key) { return {key.kind, key.name}; }
  static View view(const View& key) { return key; }
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    return view(a) < view(b);
  }
};

/// A rule's own identity, the same in every process and release.
std::uint64_t rule_hash(const shm::Rule& rule);

/// Immutable after construction; any thread.
class RuleSet {
 public:
  struct Entry {
    shm::Rule rule;
    std::uint64_t hash;
  };

  RuleSet() = default;
  RuleSet(std::uint64_t control_instance, const std::vector<shm::Rule>& rules);

  /// The rule for a name: the exact one, else the first pattern that fits; null: none.
  const Entry* match(shm::Kind kind, std::string_view name) const;
  const std::vector<Entry>& entries() const { return entries_; }
  std::uint64_t control_instance() const { return control_instance_; }
  /// What a directory of this rule is to be.
  shm::DirectorySpec spec(const Entry& entry, std::string_view name) const;
  /// True when the same names are allowed under both, so that only quotas may differ.
  bool allows_the_same(const RuleSet& other) const;

 private:
  std::uint64_t control_instance_ = 0;
  std::vector<Entry> entries_;
  std::map<DirectoryKey, std::size_t, DirectoryKeyLess> exact_;
  std::vector<std::size_t> patterns_;
};

}  // namespace mayfly::ingestd
