// A segment as one request may see it: directories outside its scope do not exist.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "relayd/read_scope.h"
#include "shm/reader.h"

namespace mayfly::relayd {

/// Thread safety and lifetimes: the reader's. A DirectoryInfo comes from here, and only such a one
/// may be handed back.
class ScopedReader {
 public:
  ScopedReader(shm::Reader& reader, ReadScope scope) : reader_(&reader), scope_(std::move(scope)) {}

  bool sees_everything() const { return scope_.sees_everything(); }
  const ReadScope& scope() const { return scope_; }

  /// For a narrowed reader the totals that belong to no directory of his are 0.
  shm::SegmentInfo info() const;
  std::vector<shm::DirectoryInfo> directories() const;
  std::optional<shm::DirectoryInfo> find(shm::Kind kind, std::string_view name) const;

  shm::Reader::Snapshot snapshot(const shm::DirectoryInfo& directory) const {
    return reader_->snapshot(directory);
  }
  shm::ReadResult read(const shm::DirectoryInfo& directory, shm::Cursor& cursor,
                       const shm::ReadLimits& limits, const shm::RecordSink& sink) const {
    return reader_->read(directory, cursor, limits, sink);
  }
  std::uint64_t seek_last(const shm::DirectoryInfo& directory, std::uint64_t n,
                          const shm::RecordFilter& filter) const {
    return reader_->seek_last(directory, n, filter);
  }
  std::uint64_t seek_time(const shm::DirectoryInfo& directory, std::uint64_t wall_ns) const {
    return reader_->seek_time(directory, wall_ns);
  }
  shm::Reader::Snapshot last_of_key(const shm::DirectoryInfo& directory, std::string_view key,
                                    std::uint64_t n, const shm::RecordFilter& filter = nullptr) const {
    return reader_->last_of_key(directory, key, n, filter);
  }
  std::uint64_t seek_last_of_key(const shm::DirectoryInfo& directory, std::string_view key, std::uint64_t n,
                                 const shm::RecordFilter& filter = nullptr) const {
    return reader_->seek_last_of_key(directory, key, n, filter);
  }
  std::optional<shm::RecordView> get(const shm::DirectoryInfo& directory, std::string_view key) const {
    return reader_->get(directory, key);
  }

 private:
  shm::Reader* reader_;
  ReadScope scope_;
};

}  // namespace mayfly::relayd
