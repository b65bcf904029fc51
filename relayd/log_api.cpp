#include "relayd/log_api.h"

#include <memory>
#include <utility>

#include "common/json_view.h"
#include "relayd/copy_room.h"
#include "relayd/log_scan.h"
#include "relayd/record_listing.h"
#include "relayd/stream_start.h"

namespace mayfly::relayd {
namespace {

StreamFormat requested_format(const ApiCall& call) {
  const std::string* accept = call.request.header("accept");
  const bool json =
      accepts_explicitly(accept, "application/x-ndjson") || accepts_explicitly(accept, "application/json");
  return accepts_explicitly(accept, "text/plain") && !json ? StreamFormat::text : StreamFormat::ndjson;
}

/// What of the directory is wanted, of one moment.
void read_records(const ScopedReader& reader, const shm::DirectoryInfo& directory, const RecordQuery& query,
                  RecordListing& listing) {
  auto& records = listing.records;
  if (query.key) {
    listing.snapshot = reader.last_of_key(directory, *query.key, query.last.value_or(~0ull),
                                          query.is_key_only() ? shm::RecordFilter() : filter_of(query));
    records = listing.snapshot.records;
    return;
  }
  listing.snapshot = reader.snapshot(directory);
  for (const auto& record : listing.snapshot.records) {
    if (query.matches(record)) records.push_back(record);
  }
  if (query.last && *query.last < records.size()) {
    records.erase(records.begin(), records.end() - static_cast<std::ptrdiff_t>(*query.last));
  }
}

void send_log(const ApiParts& parts, const ApiCall& call, const std::shared_ptr<RecordListing>& listing,
              StreamFormat format) {
  listing->append = [format](std::string& out, const shm::RecordView& record) {
    if (format == StreamFormat::text) {
      append_text_record(out, record);
    } else {
      append_log_record(out, record);
    }
    out += '\n';
  };
  send_listing(parts.slices, call.response, data_headers(content_type(format)), listing);
}

/// A small directory, a few records of one key, or one that is not open yet: one snapshot.
void answer_small(const ApiParts& parts, const ApiCall& call, const NamedDirectory& directory,
                  const RecordQuery& query, StreamFormat format) {
  auto listing = std::make_shared<RecordListing>();
  const auto reader = parts.segment.reader(call.scope);
  if (reader && directory.info) read_records(*reader, *directory.info, query, *listing);
  send_log(parts, call, listing, format);
}

/// A larger one: a snapshot too, so that the answer is of one moment, but taken by another thread.
void answer_copied(const ApiParts& parts, const ApiCall& call, const NamedDirectory& directory,
                   const RecordQuery& query, StreamFormat format, CopyRoom room) {
  // The room goes with the copy, when the answer has been sent or its reader is gone.
  struct Copied : RecordListing {
    explicit Copied(CopyRoom taken) : room(std::move(taken)) {}
    CopyRoom room;
  };
  auto listing = std::make_shared<Copied>(std::move(room));
  parts.segment.run(
      call.scope,
      [listing, query, name = directory.where.name()](const ScopedReader* reader) {
        const auto found = reader != nullptr ? reader->find(shm::Kind::log, name) : std::nullopt;
        if (found) read_records(*reader, *found, query, *listing);
      },
      [=] { send_log(parts, call, listing, format); });
}

void begin_stream(const ApiCall& call, StreamFormat format) {
  HttpHeaders headers = data_headers(content_type(format));
  headers.emplace_back("X-Accel-Buffering", "no");
  call.response->set_open_ended();
  call.response->begin(200, headers);
}

/// Follows from `start` on for as long as the client stays.
void follow(const ApiParts& parts, const ApiCall& call, const NamedDirectory& directory, RecordQuery query,
            StreamFormat format, const StreamStart& start) {
  begin_stream(call, format);
  if (call.response->closed()) return;
  // History is a matter of where the stream begins; what comes later is wanted whatever its time.
  query.since_ns.reset();
  query.last.reset();
  auto subscriber = std::make_shared<Subscriber>(std::move(query), format, call.response, start);
  if (start.history) {
    for (const auto& record : start.history->records) {
      subscriber->offer(SharedRecord(record, directory.where.kind(), 0));
    }
    subscriber->reached(start.follow_from);
  }
  parts.follow.subscribe(directory.where, std::move(subscriber));
}

}  // namespace

void answer_logs(const ApiParts& parts, ApiCall call) {
  const bool following = call.target.flag("follow");
  auto query = parse_record_query(call.target, 4, parts.segment.clocks().wall_ns());
  if (!query.ok()) return send_bad_request(*call.response, query.error());
  if (following && query.value().until_ns) {
    return send_problem(*call.response, 400, "bad_request", "follow and until exclude each other");
  }
  const auto directory = find_directory(parts, call, shm::Kind::log, following);
  if (!directory) return;
  const StreamFormat format = requested_format(call);
  if (following) {
    const HistoryWish wish{query.value(), true};
    return find_stream_start(parts, call.scope, *directory, wish, [=](const StreamStart& start) {
      follow(parts, call, *directory, query.value(), format, start);
    });
  }
  if (!directory->info || is_small(*directory->info) || is_short_chain(query.value(), *directory->info)) {
    return answer_small(parts, call, *directory, query.value(), format);
  }
  if (CopyRoom room = CopyRoom::take(directory->info->bytes)) {
    return answer_copied(parts, call, *directory, query.value(), format, std::move(room));
  }
  scan_log(parts, call, directory->where.name(), query.value(), format);
}

void answer_stream(const ApiParts& parts, ApiCall call, shm::Kind kind) {
  auto query = parse_record_query(call.target, 4, parts.segment.clocks().wall_ns());
  if (!query.ok()) return send_bad_request(*call.response, query.error());
  if (query.value().until_ns) {
    return send_problem(*call.response, 400, "bad_request", "a stream has no end: until is not for it");
  }
  const auto cursor = requested_cursor(call);
  if (!cursor.ok()) return send_bad_request(*call.response, cursor.error());
  const auto directory = find_directory(parts, call, kind, true);
  if (!directory) return;
  if (cursor.value()) {
    const StreamStart start = resume_stream(*directory, *cursor.value());
    return follow(parts, call, *directory, query.value(), StreamFormat::sse, start);
  }
  const HistoryWish wish{query.value(), query.value().since_ns.has_value()};
  find_stream_start(parts, call.scope, *directory, wish, [=](const StreamStart& start) {
    follow(parts, call, *directory, query.value(), StreamFormat::sse, start);
  });
}

}  // namespace mayfly::relayd
