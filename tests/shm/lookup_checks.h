// What a lookup by key must answer, told from a whole view of the directory.
#pragma once

#include <string>
#include <vector>

#include "shm/reader.h"
#include "tests/shm/rig.h"

namespace mayfly::shm::test {

inline std::string describe(const RecordView& r) {
  return std::to_string(r.seq) + " " + std::string(r.key) + "=" + std::to_string(r.value.size()) + ":" +
         std::string(r.value.substr(0, 12)) + "\n";
}

/// The newest `n` records of the key in `records`, of those below `before_seq`.
inline std::string last_of(const std::vector<RecordView>& records, const std::string& key, std::uint64_t n,
                           std::uint64_t before_seq = ~0ull) {
  std::vector<std::string> newest;
  for (auto r = records.rbegin(); r != records.rend() && newest.size() < n; ++r) {
    if (r->key == key && r->seq < before_seq) newest.push_back(describe(*r));
  }
  std::string text;
  for (auto r = newest.rbegin(); r != newest.rend(); ++r) text += *r;
  return text;
}

inline std::string last_by_index(Reader& reader, const DirectoryInfo& info, const std::string& key,
                                 std::uint64_t n) {
  const Reader::Snapshot got = reader.last_of_key(info, key, n);
  std::string text = got.partial ? "PARTIAL " : "";
  for (const RecordView& r : got.records) text += describe(r);
  return text;
}

/// The first difference between what the index finds and what a scan finds while the writer stands
/// still; empty: none. `looked` counts the lookups.
inline std::string compare_lookups(Reader& reader, const std::string& directory,
                                   const std::vector<std::string>& keys, std::uint64_t n,
                                   std::uint64_t& looked) {
  const auto info = reader.find(directory);
  if (!info) return {};
  const Reader::Snapshot all = reader.snapshot(*info);
  if (all.partial) return "the scan is partial";
  for (const std::string& key : keys) {
    looked += 3;
    const std::string newest = last_of(all.records, key, 1);
    const auto got = reader.get(*info, key);
    if ((got ? describe(*got) : "") != newest) return "get '" + key + "': not " + newest;
    const std::string last = last_of(all.records, key, n);
    const std::string by_index = last_by_index(reader, *info, key, n);
    if (by_index != last) {
      return "last " + std::to_string(n) + " of '" + key + "':\n" + by_index + "but a scan finds\n" + last;
    }
    const std::uint64_t seek = reader.seek_last_of_key(*info, key, n);
    const std::uint64_t wanted = last.empty() ? info->next_seq : std::strtoull(last.c_str(), nullptr, 10);
    if (seek != wanted) return "seek '" + key + "': " + std::to_string(seek);
  }
  return {};
}

}  // namespace mayfly::shm::test
