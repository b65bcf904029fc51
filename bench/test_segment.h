// A segment with one directory, and records for it: what benchmarks of the engine work on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/scratch.h"
#include "shm/reader.h"
#include "shm/writer.h"

namespace mayfly::bench {

inline constexpr std::uint64_t kDefaultTotal = 262144;  // the quota that a directory has by default

/// Keys of 16 bytes in an order that no prefetcher guesses, the same in every run; or in turn.
class Records {
 public:
  static constexpr std::size_t kKeyBytes = 16;

  explicit Records(std::size_t keys = 1024, std::size_t value_bytes = 100, bool in_turn = false);

  std::string_view next_key() { return keys_[order_[at_++ & (kOrder - 1)]]; }
  std::string_view key(std::size_t i) const { return keys_[i % keys_.size()]; }
  std::string_view value() const { return value_; }
  std::size_t bytes() const { return kKeyBytes + value_.size(); }

 private:
  static constexpr std::size_t kOrder = 1 << 16;  // a power of two
  std::string value_;
  std::vector<std::string> keys_;
  std::vector<std::uint32_t> order_;
  std::size_t at_ = 0;
};

/// Gives up where the engine does. Not thread-safe.
class TestSegment {
 public:
  /// `total_bytes`: the directory's quota; the segment is four times as large, at least 64 MiB.
  TestSegment(shm::Kind kind, std::uint64_t total_bytes);

  /// Appends `records` in one batch of at most shm::kMaxBatchRecords.
  void append(Records& load, std::size_t records);
  void fill(Records& load, std::uint64_t records);
  /// Puts another total quota in force: 0 evicts all.
  void set_total(std::uint64_t total_bytes);
  /// Lets the writer go, and opens the segment again.
  void close() { writer_.reset(); }
  void open();

  shm::Reader reader() const;
  shm::DirectoryInfo directory(const shm::Reader& reader) const;
  const std::string& path() const { return options_.path; }

 private:
  static shm::Now now();
  Scratch scratch_;
  shm::WriterOptions options_;
  shm::DirectorySpec spec_;
  std::unique_ptr<shm::Writer> writer_;
  shm::DirectoryId id_ = 0;
};

}  // namespace mayfly::bench
