#include "tests/crash/digest.h"

#include <xxhash.h>

#include "tests/shm/rig.h"

namespace mayfly::shm::test {
namespace {

/// Gathers, then hashes in one go.
class Hash {
 public:
  Hash() { words_.clear(); }
  void add(std::uint64_t n) { words_.push_back(n); }
  void add(std::string_view text) {
    add(XXH3_64bits(text.data(), text.size()));
    add(text.size());
  }
  std::uint64_t value() const { return XXH3_64bits(words_.data(), words_.size() * sizeof(std::uint64_t)); }

 private:
  static inline std::vector<std::uint64_t> words_;  // keeps its memory from view to view
};

void add_directory(Hash& hash, const DirectoryInfo& d) {
  hash.add(d.name);
  const Quotas& q = d.quotas;
  for (const std::uint64_t n : {static_cast<std::uint64_t>(d.kind),
                                d.incarnation,
                                d.keys,
                                d.records,
                                d.bytes,
                                d.next_seq,
                                d.stored,
                                d.replaced,
                                d.first_seq.value_or(0),
                                d.last_time_ns,
                                q.max_keys,
                                q.max_key_bytes,
                                q.max_value_bytes,
                                q.max_total_bytes,
                                q.max_bytes_per_key,
                                q.max_events_per_key,
                                q.max_age_seconds,
                                q.reserve_bytes,
                                q.stale_after_seconds,
                                std::uint64_t{q.drop_when_keys_full}}) {
    hash.add(n);
  }
  for (const std::uint64_t n : d.dropped) hash.add(n);
  for (const std::uint64_t n : d.evicted) hash.add(n);
}

}  // namespace

ViewDigest digest_of(Reader& reader) {
  ViewDigest digest;
  Hash hash;
  for (const DirectoryInfo& directory : reader.directories()) {
    const Reader::Snapshot snapshot = reader.snapshot(directory);
    digest.partial = digest.partial || snapshot.partial || !snapshot.found;
    add_directory(hash, snapshot.directory);
    for (const RecordView& record : snapshot.records) {
      hash.add(record.seq);
      hash.add(record.time_ns);
      hash.add(record.boot_ns);
      hash.add(record.ordinal);
      hash.add(record.key);
      hash.add(record.value);
    }
  }
  digest.hash = hash.value();
  return digest;
}

std::string text_of(Reader& reader) {
  std::string text;
  for (const DirectoryInfo& directory : reader.directories()) {
    text += directory.name + ": " + describe(reader, directory.name);
  }
  return text;
}

}  // namespace mayfly::shm::test
