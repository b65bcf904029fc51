#include "relayd/loki_scan.h"

#include "relayd/loki_keys.h"
#include "relayd/loki_limits.h"

namespace mayfly::relayd {

std::vector<shm::DirectoryInfo> LokiScan::directories(const ScopedReader& reader,
                                                      const std::vector<logql::LabelMatcher>& selector) {
  auto directories = reader.directories();
  std::erase_if(directories, [&](const shm::DirectoryInfo& directory) {
    return !LokiKeys::may_select(selector, directory.kind, directory.name);
  });
  return directories;
}

shm::Status LokiScan::visit(const shm::DirectoryInfo& directory, const loki::Span& span,
                            std::uint64_t from_seq, const Sink& sink) {
  shm::Cursor cursor;
  cursor.next_seq = from_seq;
  shm::ReadLimits limits;
  limits.until_seq = directory.next_seq;
  limits.max_bytes = kLokiSliceBytes;
  for (bool enough = false; !enough;) {
    std::uint64_t lines = 0;
    const shm::ReadResult result =
        reader_.read(directory, cursor, limits, [&](const shm::RecordView& record) {
          ++lines;
          if (record.time_ns < span.start_ns || record.time_ns >= span.end_ns) return true;
          enough = !sink(record);
          return !enough;
        });
    if (auto spent = budget_.spend(result.visited_bytes, lines); !spent.ok()) return spent;
    if (result.reached_end) break;
  }
  return {};
}

}  // namespace mayfly::relayd
