#include "relayd/stream_start.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace mayfly::relayd {
namespace {

/// From where on the wished history lives.
std::uint64_t seek_history(const ScopedReader& reader, const shm::DirectoryInfo& directory,
                           const HistoryWish& wish) {
  const RecordQuery& query = wish.query;
  if (query.last) {
    if (*query.last == 0) return directory.next_seq;
    const shm::RecordFilter filter = filter_of(query);
    if (query.key) return reader.seek_last_of_key(directory, *query.key, *query.last, filter);
    return reader.seek_last(directory, *query.last, filter);
  }
  if (query.since_ns) return reader.seek_time(directory, *query.since_ns);
  return wish.all ? 0 : directory.next_seq;
}

/// The last few of one key are found by the key index and handed out as they are: nobody reads
/// the directory from there on to find them once more.
void take_history(const ScopedReader& reader, const shm::DirectoryInfo& directory, const RecordQuery& query,
                  StreamStart& start) {
  const std::uint64_t from = start.follow_from;
  auto history = std::make_shared<shm::Reader::Snapshot>(
      reader.last_of_key(directory, *query.key, *query.last,
                         [from](const shm::RecordView& record) { return record.seq < from; }));
  if (!history->records.empty()) start.next_seq = history->records.front().seq;
  start.history = std::move(history);
}

/// The start of a stream that follows from now on. For a key: its next record's ordinal.
StreamStart follow_from_now(const ScopedReader& reader, const shm::DirectoryInfo& directory,
                            const RecordQuery& query) {
  StreamStart start;
  start.identity = {reader.info().instance, directory.incarnation};
  start.next_seq = start.follow_from = directory.next_seq;
  if (!query.key) return start;
  start.next_ordinal = 0;
  if (const auto newest = reader.get(directory, *query.key)) {
    start.next_ordinal = newest->ordinal + 1;
    start.follow_from = std::max(start.follow_from, newest->seq + 1);
  }
  return start;
}

/// The start of the stream; where the directory is not there, of one that waits for it.
StreamStart find_start(const ScopedReader* reader, const NamedDirectory& named, const HistoryWish& wish) {
  const auto directory =
      reader != nullptr ? reader->find(named.where.kind(), named.where.name()) : std::nullopt;
  if (!directory) return {};
  StreamStart start = follow_from_now(*reader, *directory, wish.query);
  if (named.where.kind() == shm::Kind::log && is_short_chain(wish.query, *directory)) {
    take_history(*reader, *directory, wish.query, start);
  } else {
    start.next_seq = std::min(start.next_seq, seek_history(*reader, *directory, wish));
  }
  return start;
}

}  // namespace

void find_stream_start(const ApiParts& parts, const ReadScope& scope, const NamedDirectory& directory,
                       const HistoryWish& wish, std::function<void(const StreamStart&)> done) {
  const bool looks_back = wish.query.last.value_or(0) > 0 || wish.query.since_ns;
  if (!directory.info || !looks_back || is_small(*directory.info) ||
      is_short_chain(wish.query, *directory.info)) {
    const auto reader = parts.segment.reader(scope);
    return done(find_start(reader ? &*reader : nullptr, directory, wish));
  }
  const auto start = std::make_shared<StreamStart>();
  parts.segment.run(
      scope,
      [start, wish, directory](const ScopedReader* reader) { *start = find_start(reader, directory, wish); },
      [start, done = std::move(done)] { done(*start); });
}

StreamStart resume_stream(const NamedDirectory& named, const StreamCursor& cursor) {
  StreamStart start;
  start.identity = {cursor.instance, cursor.incarnation};
  start.fresh = cursor.next_seq == 0;
  start.next_seq = start.follow_from = cursor.next_seq;
  start.next_ordinal = cursor.next_ordinal;
  if (named.info && named.info->incarnation == cursor.incarnation) {
    // A place that does not exist yet would pass over what comes.
    start.next_seq = start.follow_from = std::min(cursor.next_seq, named.info->next_seq);
  }
  return start;
}

shm::Result<std::optional<StreamCursor>> requested_cursor(const ApiCall& call) {
  const std::string* text = call.request.header("last-event-id");
  if (text == nullptr || text->empty()) text = call.target.parameter("after");
  if (text == nullptr || text->empty()) return std::optional<StreamCursor>();
  const auto cursor = parse_cursor(*text);
  if (!cursor) return shm::Error{shm::Errc::invalid, "that is no cursor of this stream"};
  return cursor;
}

}  // namespace mayfly::relayd
