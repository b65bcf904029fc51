#include "relayd/log_scan.h"

#include <memory>
#include <utility>

namespace mayfly::relayd {
namespace {

constexpr std::uint64_t kScanSliceBytes = 128 << 10;
constexpr std::size_t kScanQueueBytes = 256 << 10;
constexpr std::size_t kScanResumeBelow = 64 << 10;

struct Scan : std::enable_shared_from_this<Scan> {
  SegmentAccess segment;
  ReadScope scope;
  SliceRunner& slices;
  ResponseWriterPtr response;
  std::string name;
  RecordQuery query;
  StreamFormat format;
  std::uint64_t instance = 0;
  std::uint64_t incarnation = 0;
  std::uint64_t until_seq = 0;
  shm::Cursor cursor;

  Scan(const ApiParts& parts, const ApiCall& call, std::string directory, RecordQuery wish, StreamFormat form)
      : segment(parts.segment),
        scope(call.scope),
        slices(parts.slices),
        response(call.response),
        name(std::move(directory)),
        query(std::move(wish)),
        format(form) {}

  /// Where the query's first record is; on a pool thread, since it may have to look at everything.
  void seek(const ScopedReader* reader) {
    const auto directory = reader != nullptr ? reader->find(shm::Kind::log, name) : std::nullopt;
    if (!directory) return;
    instance = reader->info().instance;
    incarnation = directory->incarnation;
    until_seq = directory->next_seq;
    if (query.last) {
      const auto filter = [this](const shm::RecordView& record) { return query.matches(record); };
      cursor.next_seq = *query.last == 0 ? until_seq : reader->seek_last(*directory, *query.last, filter);
    } else if (query.since_ns) {
      cursor.next_seq = reader->seek_time(*directory, *query.since_ns);
    }
  }

  void schedule() {
    slices.add([self = shared_from_this()] { return self->slice(); });
  }

  bool slice() {
    if (response->closed()) return false;
    const auto reader = segment.reader(scope);
    const auto directory = reader ? reader->find(shm::Kind::log, name) : std::nullopt;
    const bool same = directory && segment.instance() == instance && directory->incarnation == incarnation;
    if (!same || cursor.next_seq >= until_seq) return finish();
    std::string out;
    const auto sink = [&](const shm::RecordView& record) {
      if (query.matches(record)) {
        append_stream_record(out, format, SharedRecord(record, shm::Kind::log, 0), {});
      }
      return out.size() < kScanQueueBytes;
    };
    shm::ReadLimits limits;
    limits.until_seq = until_seq;
    limits.max_bytes = kScanSliceBytes;
    const shm::ReadResult result = reader->read(*directory, cursor, limits, sink);
    response->write(out);
    if (result.reached_end && out.size() < kScanQueueBytes) return finish();
    if (response->queued() <= kScanQueueBytes) return true;
    response->on_drain(kScanResumeBelow, [self = shared_from_this()] { self->schedule(); });
    return false;
  }

  bool finish() {
    response->end();
    return false;
  }
};

}  // namespace

void scan_log(const ApiParts& parts, const ApiCall& call, const std::string& directory,
              const RecordQuery& query, StreamFormat format) {
  const auto scan = std::make_shared<Scan>(parts, call, directory, query, format);
  parts.segment.run(
      call.scope, [scan](const ScopedReader* reader) { scan->seek(reader); },
      [scan] {
        scan->response->begin(200, data_headers(content_type(scan->format)));
        scan->schedule();
      });
}

}  // namespace mayfly::relayd
