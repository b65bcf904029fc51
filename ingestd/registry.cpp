#include "ingestd/registry.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace mayfly::ingestd {
namespace {

using shm::DropCause;

bool same_spec(const shm::DirectorySpec& a, const shm::DirectorySpec& b) {
  return a.quotas == b.quotas && a.control_instance == b.control_instance && a.rule_birth == b.rule_birth &&
         a.rule_hash == b.rule_hash;
}

// The same rule, but it was off the list in between: what the directory holds was to be removed.
// Births of different control segments cannot be compared, and a new one removes nothing.
bool removed_meanwhile(const shm::DirectorySpec& old_spec, const shm::DirectorySpec& new_spec) {
  return old_spec.rule_hash == new_spec.rule_hash && old_spec.control_instance == new_spec.control_instance &&
         old_spec.rule_birth != new_spec.rule_birth;
}

}  // namespace

Registry::Registry(shm::Writer& writer) : writer_(writer) {
  for (shm::OpenDirectory& directory : writer.directories()) {
    Open open;
    open.id = directory.id;
    open.spec = directory.spec;
    if (directory.records == 0) open.empty_since_boot_ns = directory.last_boot_ns;
    open_.emplace(DirectoryKey{directory.spec.kind, directory.spec.name}, std::move(open));
  }
}

Resolution Registry::resolve(shm::Worker& worker, shm::Kind kind, std::string_view name, shm::Now now,
                             bool create) {
  const std::lock_guard lock(mutex_);
  return resolve_locked(worker, kind, name, now, create);
}

Resolution Registry::resolve_and_begin(shm::Worker& worker, shm::Kind kind, std::string_view name,
                                       shm::Now now, bool create) {
  const std::lock_guard lock(mutex_);
  Resolution found = resolve_locked(worker, kind, name, now, create);
  if (found.open() && !worker.begin(found.id, now)) {
    // The segment knows better: forget the directory, so that the next record opens it anew.
    const auto place = open_.find(DirectoryKeyLess::View{kind, name});
    if (place != open_.end()) open_.erase(place);
    count_patterns();
    invalidate();
    found.state = Resolution::State::refused;
  }
  return found;
}

Resolution Registry::resolve_locked(shm::Worker& worker, shm::Kind kind, std::string_view name, shm::Now now,
                                    bool create) {
  Resolution found;
  found.generation = generation();
  if (!in_force() || !shm::valid_directory_name(name)) return found;
  const auto place = open_.find(DirectoryKeyLess::View{kind, name});
  if (place != open_.end()) {
    found.state = Resolution::State::open;
    found.id = place->second.id;
    return found;
  }
  const RuleSet::Entry* rule = rules_.match(kind, name);
  if (rule == nullptr) return found;
  if (create) return open_locked(worker, *rule, name, now);
  found.state = Resolution::State::absent;
  return found;
}

Resolution Registry::open_locked(shm::Worker& worker, const RuleSet::Entry& rule, std::string_view name,
                                 shm::Now now) {
  Resolution made;
  made.generation = generation();
  if (rule.rule.pattern && pattern_uses_[rule.hash] >= rule.rule.max_directories) {
    made.cause = DropCause::too_many_directories;
    return made;
  }
  Open open;
  open.spec = rules_.spec(rule, name);
  open.by_pattern = rule.rule.pattern;
  open.empty_since_boot_ns = now.boot_ns;
  const auto opened = writer_.open_directory(worker, open.spec, now);
  if (!opened) {
    made.cause =
        opened.error().code == shm::Errc::no_space ? DropCause::no_memory : DropCause::unknown_directory;
    if (made.cause != DropCause::no_memory)
      spdlog::error("opening directory {}: {}", name, opened.error().text);
    return made;
  }
  open.id = opened.value();
  made.state = Resolution::State::open;
  made.id = open.id;
  if (open.by_pattern) ++pattern_uses_[rule.hash];
  open_.insert_or_assign(DirectoryKey{rule.rule.kind, std::string(name)}, std::move(open));
  return made;
}

std::uint64_t Registry::largest_argument(shm::Kind kind, std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (!in_force() || !shm::valid_directory_name(name)) return 0;
  const RuleSet::Entry* rule = rules_.match(kind, name);
  if (rule == nullptr) return 0;
  const shm::Quotas& quotas = rule->rule.quotas;
  const std::uint64_t by_length = std::max(quotas.max_key_bytes, quotas.max_value_bytes);
  return std::min({by_length, quotas.max_total_bytes, quotas.max_bytes_per_key, shm::kMaxRecordBytes});
}

void Registry::apply(shm::Worker& worker, std::uint64_t control_instance, const shm::Rules& rules,
                     shm::Now now) {
  RuleSet next(control_instance, rules.rules);
  const std::lock_guard lock(mutex_);
  const bool same_names = in_force() && rules_.allows_the_same(next);
  rules_ = std::move(next);
  // Changed quotas alone leave every look-up right, and need not send all workers to the mutex.
  if (!same_names) invalidate();
  for (auto place = open_.begin(); place != open_.end();) place = settle(worker, place, now);
  count_patterns();
  open_listed(worker, now);
  in_force_.store(true, std::memory_order_release);
  // Once more for look-ups that found "nothing in force", or a directory just opened.
  if (!same_names) invalidate();
}

// Brings one open directory in line with the rules. Returns the place after it.
Registry::OpenMap::iterator Registry::settle(shm::Worker& worker, OpenMap::iterator place, shm::Now now) {
  const DirectoryKey& key = place->first;
  Open& open = place->second;
  const RuleSet::Entry* rule = rules_.match(key.kind, key.name);
  const shm::DirectorySpec spec = rule != nullptr ? rules_.spec(*rule, key.name) : shm::DirectorySpec{};
  if (rule == nullptr || removed_meanwhile(open.spec, spec)) {
    writer_.remove_directory(worker, open.id, now);
    spdlog::info("directory {} {} removed", shm::kind_name(key.kind), key.name);
    return open_.erase(place);
  }
  open.by_pattern = rule->rule.pattern;
  if (!same_spec(open.spec, spec) && !writer_.apply_quotas(worker, open.id, spec, now))
    return open_.erase(place);
  open.spec = spec;
  return std::next(place);
}

// A listed directory is there for readers from the beginning, empty or not.
void Registry::open_listed(shm::Worker& worker, shm::Now now) {
  std::size_t failed = 0;
  for (const RuleSet::Entry& entry : rules_.entries()) {
    if (entry.rule.pattern) continue;
    if (open_.count(DirectoryKeyLess::View{entry.rule.kind, entry.rule.name}) > 0) continue;
    if (!open_locked(worker, entry, entry.rule.name, now).open()) ++failed;
  }
  if (failed > 0) spdlog::warn("the segment has no room for {} listed directories", failed);
}

void Registry::count_patterns() {
  pattern_uses_.clear();
  for (const auto& [key, open] : open_) {
    if (open.by_pattern) ++pattern_uses_[open.spec.rule_hash];
  }
}

bool Registry::housekeep(shm::Worker& worker, shm::Now now) {
  std::vector<shm::DirectoryId> ids;
  bool any_pattern = false;
  {
    const std::lock_guard lock(mutex_);
    ids.reserve(open_.size());
    for (const auto& [key, open] : open_) {
      ids.push_back(open.id);
      any_pattern = any_pattern || open.by_pattern;
    }
  }
  // Age needs no mutex: a directory closed meanwhile has nothing due, and one that took its slot
  // is judged by its own age.
  bool more = false;
  for (const shm::DirectoryId id : ids) more = writer_.evict_due(worker, id, now) || more;
  if (any_pattern && in_force()) close_empty(worker, now);
  return more;
}

bool Registry::close_empty(shm::Worker& worker, shm::Now now) {
  const std::vector<shm::OpenDirectory> directories = writer_.directories();
  const std::lock_guard lock(mutex_);
  bool closed = false;
  for (const shm::OpenDirectory& directory : directories) {
    const auto place = open_.find(DirectoryKeyLess::View{directory.spec.kind, directory.spec.name});
    if (place == open_.end() || place->second.id != directory.id || !place->second.by_pattern) continue;
    Open& open = place->second;
    if (directory.records > 0) {
      open.empty_since_boot_ns.reset();
      continue;
    }
    const std::uint64_t since =
        std::max(open.empty_since_boot_ns.value_or(now.boot_ns), directory.last_boot_ns);
    open.empty_since_boot_ns = since;
    const std::uint64_t seconds = now.boot_ns > since ? (now.boot_ns - since) / 1'000'000'000 : 0;
    if (seconds < open.spec.quotas.max_age_seconds) continue;
    invalidate();
    if (!writer_.close_if_empty(worker, directory.id, now)) continue;
    --pattern_uses_[open.spec.rule_hash];
    open_.erase(place);
    closed = true;
  }
  return closed;
}

}  // namespace mayfly::ingestd
