// Reading records: in order, the last ones, everything at one moment.
#include <algorithm>
#include <unordered_map>

#include "shm/reader_impl.h"

namespace mayfly::shm {
namespace {

/// What age takes from a directory before its writer does.
struct Due {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
};

/// Counts what is due as evicted, in a snapshot that still has it, and takes it out.
void drop_due(Reader::Snapshot& snapshot, const std::vector<bool>& due) {
  DirectoryInfo& info = snapshot.directory;
  std::unordered_map<std::string_view, std::uint64_t> live;
  std::uint64_t keys = 0;
  Due gone;
  std::vector<RecordView> kept;
  for (std::size_t i = 0; i < snapshot.records.size(); ++i) {
    const RecordView& record = snapshot.records[i];
    if (due[i]) {
      ++gone.records;
      gone.bytes += record.key.size() + record.value.size();
      continue;
    }
    if (live[record.key]++ == 0) ++keys;
    kept.push_back(record);
  }
  if (gone.records == 0) return;
  snapshot.records = std::move(kept);
  info.records -= gone.records;
  info.bytes -= gone.bytes;
  info.keys = keys;
  info.evicted[static_cast<std::size_t>(EvictCause::age)] += gone.records;
  info.first_seq.reset();
  if (!snapshot.records.empty()) info.first_seq = snapshot.records.front().seq;
}

}  // namespace

RecordView ReaderImpl::view_of(const FoundRecord& found) {
  return {found.header.seq,
          found.header.time_ns,
          found.header.boot_ns,
          static_cast<std::uint32_t>(found.header.tag >> 32),
          found.key,
          found.value};
}

Found ReaderImpl::seek(const CommittedState& state, std::uint64_t seq, Ref& place) {
  PageImage image;
  RecordHeader first;
  place = state.commit.head;
  for (std::uint32_t pages = view.geometry().pages + 1; pages > 0; --pages) {
    const Found got = view.peek_page(place, state, image, first);
    if (got != Found::record) return got;
    place = image.place;
    const bool starts = image.role != PageRole::continuation;
    if (starts && (first.seq <= seq || first.seq <= state.commit.first_seq)) return Found::record;
    if (image.prev == 0) return Found::record;
    place = image.prev;
  }
  return Found::broken;
}

bool ReaderImpl::collect(std::uint32_t slot, const CommittedState& state, Reader::Snapshot& snapshot) {
  struct Piece {
    RecordView view;
    std::size_t at;
  };
  const Commit& c = state.commit;
  const std::uint64_t boot_now = view.boot_now();
  std::vector<Piece> pieces;
  std::vector<bool> due;
  std::uint64_t bytes = 0;
  snapshot.bytes.clear();
  snapshot.bytes.reserve(std::min<std::uint64_t>(c.bytes, view.geometry().total_bytes));
  const auto keep = [&](std::string_view key, std::string_view value) {
    snapshot.bytes.insert(snapshot.bytes.end(), key.begin(), key.end());
    snapshot.bytes.insert(snapshot.bytes.end(), value.begin(), value.end());
  };
  Ref place = c.tail;
  const Found end = walk(slot, state, place, state.generation, [&](const FoundRecord& found) {
    pieces.push_back({view_of(found), snapshot.bytes.size()});
    due.push_back(is_due(found.header, c, boot_now));
    keep(found.key, found.value);
    bytes += found.key.size() + found.value.size();
    return bytes > c.bytes ? Visit::stop : Visit::go_on;
  });
  snapshot.directory = info_of(slot, state);
  snapshot.records.clear();
  snapshot.records.reserve(pieces.size());
  for (Piece& piece : pieces) {
    const std::size_t key_bytes = piece.view.key.size();
    const std::string_view all(snapshot.bytes.data(), snapshot.bytes.size());
    piece.view.key = all.substr(piece.at, key_bytes);
    piece.view.value = all.substr(piece.at + key_bytes, piece.view.value.size());
    snapshot.records.push_back(piece.view);
  }
  const bool exact = end == Found::end && pieces.size() == c.records && bytes == c.bytes;
  if (exact) drop_due(snapshot, due);
  return exact;
}

Reader::Snapshot Reader::snapshot(const DirectoryInfo& directory) {
  Snapshot snapshot;
  for (Attempts attempts(impl_->view, directory.id); attempts.again();) {
    const std::optional<CommittedState> state = impl_->state_of(directory);
    if (!state) return Snapshot{};
    snapshot.found = true;
    const bool exact = impl_->collect(directory.id, *state, snapshot);
    snapshot.directory.name = directory.name;
    if (exact) return snapshot;
  }
  // A subset of one moment: what can still be read of it, in order.
  snapshot = Snapshot{};
  snapshot.found = snapshot.partial = true;
  Cursor cursor;
  std::vector<std::pair<RecordView, std::size_t>> pieces;
  ReadLimits limits;
  limits.max_bytes = ~0ull;
  read(directory, cursor, limits, [&](const RecordView& record) {
    pieces.emplace_back(record, snapshot.bytes.size());
    snapshot.bytes.insert(snapshot.bytes.end(), record.key.begin(), record.key.end());
    snapshot.bytes.insert(snapshot.bytes.end(), record.value.begin(), record.value.end());
    return true;
  });
  const std::string_view all(snapshot.bytes.data(), snapshot.bytes.size());
  for (auto& [record, at] : pieces) {
    const std::size_t key_bytes = record.key.size();
    record.key = all.substr(at, key_bytes);
    record.value = all.substr(at + key_bytes, record.value.size());
    snapshot.records.push_back(record);
  }
  if (const auto state = impl_->state_of(directory))
    snapshot.directory = impl_->info_of(directory.id, *state);
  snapshot.directory.name = directory.name;
  return snapshot;
}

ReadResult Reader::read(const DirectoryInfo& directory, Cursor& cursor, const ReadLimits& limits,
                        const RecordSink& sink) {
  ReadResult result;
  const std::uint64_t began_at = impl_->view.bytes_read();
  std::uint64_t handed_out = 0;
  bool stopped = false;
  std::optional<std::uint64_t> until;  // what was committed when the read began
  for (Attempts attempts(impl_->view, directory.id); attempts.again();) {
    const std::optional<CommittedState> state = impl_->state_of(directory);
    result.restarts = attempts.restarts();
    result.partial = state.has_value();
    if (!state) break;
    if (!until) until = std::min(state->commit.next_seq, limits.until_seq);
    if (state->commit.records == 0 || cursor.next_seq >= *until) {
      cursor.next_seq = std::max(cursor.next_seq, *until);
      result.reached_end = true;
      result.partial = false;
      return result;
    }
    const std::uint64_t boot_now = impl_->view.boot_now();
    // A page that was given up since may still be whole, but nobody marks the dead in it any more.
    const bool hinted =
        attempts.restarts() == 0 && impl_->view.holds_records(directory.id, cursor.place_hint);
    Ref place = hinted ? cursor.place_hint : 0;
    Found got = Found::record;
    if (place == 0) {
      place = state->commit.tail;
      if (cursor.next_seq > state->commit.first_seq) got = impl_->seek(*state, cursor.next_seq, place);
    }
    if (got == Found::record) {
      got = impl_->walk(directory.id, *state, place, 0, [&](const FoundRecord& found) {
        if (found.header.seq >= *until) return Visit::stop;
        if (found.header.seq < cursor.next_seq || is_due(found.header, state->commit, boot_now))
          return Visit::go_on;
        cursor.next_seq = found.header.seq + 1;
        ++handed_out;
        const bool more = sink(ReaderImpl::view_of(found));
        stopped = !more || handed_out >= limits.max_records ||
                  impl_->view.bytes_read() - began_at >= limits.max_bytes;
        return stopped ? Visit::stop : Visit::go_on;
      });
    }
    result.visited_bytes = impl_->view.bytes_read() - began_at;
    if (got == Found::gone || got == Found::broken) continue;
    // At the end too: who follows comes back for what is appended there, and reads nothing twice.
    cursor.place_hint = stopped || got == Found::end ? place : 0;
    result.partial = false;
    if (stopped) return result;
    cursor.next_seq = std::max(cursor.next_seq, *until);
    result.reached_end = true;
    return result;
  }
  result.reached_end = true;
  if (until) cursor.next_seq = std::max(cursor.next_seq, *until);
  cursor.place_hint = 0;
  return result;
}

}  // namespace mayfly::shm
