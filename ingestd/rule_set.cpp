#include "ingestd/rule_set.h"

#include <xxhash.h>

#include <algorithm>

#include "common/name_pattern.h"

namespace mayfly::ingestd {

std::uint64_t rule_hash(const shm::Rule& rule) {
  std::string identity;
  identity.push_back(static_cast<char>('0' + static_cast<int>(rule.kind)));
  identity.push_back(rule.pattern ? '*' : '=');
  identity.append(rule.name);
  return XXH3_64bits(identity.data(), identity.size());
}

RuleSet::RuleSet(std::uint64_t control_instance, const std::vector<shm::Rule>& rules)
    : control_instance_(control_instance) {
  entries_.reserve(rules.size());
  for (const shm::Rule& rule : rules) {
    const std::size_t index = entries_.size();
    entries_.push_back({rule, rule_hash(rule)});
    if (rule.pattern) {
      patterns_.push_back(index);
    } else {
      exact_.emplace(DirectoryKey{rule.kind, rule.name}, index);
    }
  }
}

const RuleSet::Entry* RuleSet::match(shm::Kind kind, std::string_view name) const {
  const auto exact = exact_.find(DirectoryKeyLess::View{kind, name});
  if (exact != exact_.end()) return &entries_[exact->second];
  for (const std::size_t index : patterns_) {
    const shm::Rule& rule = entries_[index].rule;
    if (rule.kind == kind && name_matches(rule.name, name)) return &entries_[index];
  }
  return nullptr;
}

shm::DirectorySpec RuleSet::spec(const Entry& entry, std::string_view name) const {
  shm::DirectorySpec spec;
  spec.kind = entry.rule.kind;
  spec.name = name;
  spec.quotas = entry.rule.quotas;
  spec.control_instance = control_instance_;
  spec.rule_birth = entry.rule.birth;
  spec.rule_hash = entry.hash;
  return spec;
}

bool RuleSet::allows_the_same(const RuleSet& other) const {
  const auto same = [](const Entry& a, const Entry& b) {
    return a.hash == b.hash && a.rule.birth == b.rule.birth &&
           a.rule.max_directories == b.rule.max_directories;
  };
  return control_instance_ == other.control_instance_ &&
         std::equal(entries_.begin(), entries_.end(), other.entries_.begin(), other.entries_.end(), same);
}

}  // namespace mayfly::ingestd
