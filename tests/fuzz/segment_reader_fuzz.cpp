// Readers of a hostile data segment: they end, stay within the memory, and hand records out in order,
// once each, whatever the words say. An input is a list of edits (segment_rig.h).
#include <xxhash.h>

#include "shm/reader.h"
#include "shm/verify.h"
#include "tests/fuzz/segment_rig.h"
#include "tests/fuzz/target.h"

namespace mayfly::fuzz::segment_reader {

using namespace mayfly::shm;  // NOLINT(google-build-using-namespace)

/// Reads every byte that a record shows.
std::uint64_t touch(const RecordView& record) {
  return XXH3_64bits(record.key.data(), record.key.size()) +
         XXH3_64bits(record.value.data(), record.value.size());
}

std::uint64_t read_directory(Reader& reader, const DirectoryInfo& directory) {
  std::uint64_t seen = 0;
  const Reader::Snapshot snapshot = reader.snapshot(directory);
  for (const RecordView& record : snapshot.records) seen += touch(record);
  Cursor cursor;
  ReadLimits limits;
  limits.max_bytes = ~0ull;
  std::uint64_t last = 0;
  reader.read(directory, cursor, limits, [&](const RecordView& record) {
    require(record.seq > last, "records come in order, nothing twice");
    last = record.seq;
    seen += touch(record);
    return true;
  });
  cursor = {directory.next_seq / 2, seen};
  reader.read(directory, cursor, {}, [](const RecordView&) { return true; });
  seen += reader.seek_last(directory, 3, nullptr);
  seen += reader.seek_last(directory, 2, [](const RecordView& record) { return record.key == "k3"; });
  seen += reader.seek_time(directory, kImageNow.wall_ns + 5);
  if (const auto found = reader.get(directory, "k5")) seen += touch(*found);
  seen += reader.get(directory, "none").has_value() ? 1 : 0;
  return seen + (reader.find(directory.kind, directory.name) ? 1 : 0);
}

void run(std::string_view bytes) {
  Input input(bytes);
  Image image = choose_image(input);
  edit_image(image, input);
  if (Result<Reader> opened = Reader::over(image.data(), image.size() * 8, image_clocks())) {
    const SegmentInfo info = opened.value().info();
    require(info.workers.size() <= kMaxWorkers, "as many workers as there may be");
    std::uint64_t seen = 0;
    for (const DirectoryInfo& directory : opened.value().directories()) {
      seen += read_directory(opened.value(), directory);
    }
    static volatile std::uint64_t kept = 0;  // what was read was wanted
    kept = kept + seen;
  }
  const Result<Geometry> geometry = check_header(image.data(), image.size() * 8, kDataMagic);
  VerifyReport report;
  if (geometry) verify_image(image.data(), geometry.value(), report);
}

}  // namespace mayfly::fuzz::segment_reader

MAYFLY_FUZZ_TARGET(segment_reader, mayfly::fuzz::segment_reader::run)
