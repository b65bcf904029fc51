#include "relayd/scoped_reader.h"

namespace mayfly::relayd {

shm::SegmentInfo ScopedReader::info() const {
  shm::SegmentInfo info = reader_->info();
  if (sees_everything()) return info;
  info.removed_stored = info.removed_replaced = 0;
  info.removed_evicted = {};
  info.removed_dropped = {};
  info.unattributed = {};
  return info;
}

std::vector<shm::DirectoryInfo> ScopedReader::directories() const {
  auto directories = reader_->directories();
  std::erase_if(directories,
                [this](const shm::DirectoryInfo& directory) { return !scope_.covers(directory.name); });
  return directories;
}

std::optional<shm::DirectoryInfo> ScopedReader::find(shm::Kind kind, std::string_view name) const {
  if (!scope_.covers(name)) return std::nullopt;
  return reader_->find(kind, name);
}

}  // namespace mayfly::relayd
