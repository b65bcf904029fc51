// Reading one key: its newest record, or its last ones, by the directory's key index.
#include <algorithm>

#include "shm/key_lookup.h"
#include "shm/reader_impl.h"

namespace mayfly::shm {
namespace {

// A chain is read record by record, from place to place: where it is most of a large directory, the
// whole directory is read sooner.
constexpr std::uint64_t kLongChain = 4096;
constexpr std::uint64_t kChainCost = 4;  // in records of a scan

constexpr auto kLowered = static_cast<std::size_t>(EvictCause::quota_lowered);

bool sooner_by_scan(const KeyLookup& lookup, const Commit& commit, std::uint64_t n) {
  const std::uint64_t links = std::min(n, lookup.events());
  return links > kLongChain && links > commit.records / kChainCost;
}

}  // namespace

KeyLookup::Looked ReaderImpl::collect_key(std::uint32_t slot, const CommittedState& state,
                                          std::string_view key, std::uint64_t n, const RecordFilter& filter,
                                          KeyPieces& out) {
  out.pieces.clear();
  out.bytes.clear();
  KeyLookup lookup(view, slot, state, key);
  FoundRecord found;
  const KeyLookup::Looked looked = n > 0 ? lookup.newest(found) : KeyLookup::Looked::absent;
  if (looked != KeyLookup::Looked::found) return looked;
  if (sooner_by_scan(lookup, state.commit, n)) return KeyLookup::Looked::unwise;
  const std::uint64_t boot_now = view.boot_now();
  const std::uint64_t enough = view.bytes_read() + 2 * view.geometry().total_bytes;
  Found got = Found::record;
  while (got == Found::record && !is_due(found.header, state.commit, boot_now)) {
    const RecordView record = view_of(found);
    if (!filter || filter(record)) {
      out.pieces.push_back({record, out.bytes.size(), lookup.place()});
      if (out.keep_bytes) {
        out.bytes.insert(out.bytes.end(), record.key.begin(), record.key.end());
        out.bytes.insert(out.bytes.end(), record.value.begin(), record.value.end());
      }
    }
    if (out.pieces.size() >= n || view.bytes_read() > enough) break;
    got = lookup.older(found);
  }
  const bool whole = got == Found::record || got == Found::end;
  return whole && view.bytes_read() <= enough && settle(slot, state, out) ? KeyLookup::Looked::found
                                                                          : KeyLookup::Looked::again;
}

/// Takes out what was evicted while the chain was walked. False when that cannot be told.
bool ReaderImpl::settle(std::uint32_t slot, const CommittedState& state, KeyPieces& found) {
  CommittedState now;
  if (!view.load(slot, now)) return false;
  if (now.generation == state.generation || found.pieces.empty()) return true;
  const Commit& c = now.commit;
  if (c.state != kStateOpen || c.incarnation != state.commit.incarnation ||
      c.evicted[kLowered] != state.commit.evicted[kLowered]) {
    return false;
  }
  // Of one key the oldest go first: if this one lives, all newer ones do.
  while (!found.pieces.empty()) {
    const KeyPieces::Piece& oldest = found.pieces.back();
    const bool gone = c.records == 0 || oldest.view.seq < c.first_seq;
    if (!gone) {
      const Word death = view.death_at(oldest.place);
      if (!view.holds_records(slot, oldest.place))
        return false;  // evicted, or moved and then perhaps evicted
      if (death == 0 || death > now.generation) return true;
    }
    found.pieces.pop_back();
  }
  return false;  // nothing is left of what there was: newer ones may have come
}

bool ReaderImpl::pieces_of_key(const DirectoryInfo& directory, std::string_view key, std::uint64_t n,
                               const RecordFilter& filter, KeyPieces& out,
                               std::optional<CommittedState>& state) {
  for (Attempts attempts(view, directory.id); attempts.again();) {
    state = state_of(directory);
    if (!state) return true;
    const KeyLookup::Looked looked = collect_key(directory.id, *state, key, n, filter, out);
    if (looked == KeyLookup::Looked::unwise) return false;
    if (looked != KeyLookup::Looked::again) return true;
  }
  return false;
}

Reader::Snapshot Reader::last_of_key(const DirectoryInfo& directory, std::string_view key, std::uint64_t n,
                                     const RecordFilter& filter) {
  ReaderImpl::KeyPieces found;
  std::optional<CommittedState> state;
  Snapshot result;
  if (impl_->pieces_of_key(directory, key, n, filter, found, state)) {
    if (!state) return result;
    result.found = true;
    result.directory = impl_->info_of(directory.id, *state);
    result.directory.name = directory.name;
    result.bytes = std::move(found.bytes);
    const std::string_view all(result.bytes.data(), result.bytes.size());
    result.records.reserve(found.pieces.size());
    std::reverse(found.pieces.begin(), found.pieces.end());  // they were found newest first
    for (const auto& piece : found.pieces) {
      RecordView& record = result.records.emplace_back(piece.view);
      record.key = all.substr(piece.at, piece.view.key.size());
      record.value = all.substr(piece.at + record.key.size(), piece.view.value.size());
    }
    return result;
  }
  ++impl_->key_scans;
  result = snapshot(directory);
  std::erase_if(result.records,
                [&](const RecordView& record) { return record.key != key || (filter && !filter(record)); });
  if (result.records.size() > n) {
    result.records.erase(result.records.begin(), result.records.end() - static_cast<std::ptrdiff_t>(n));
  }
  return result;
}

std::uint64_t Reader::seek_last_of_key(const DirectoryInfo& directory, std::string_view key, std::uint64_t n,
                                       const RecordFilter& filter) {
  ReaderImpl::KeyPieces found;
  found.keep_bytes = false;
  std::optional<CommittedState> state;
  if (impl_->pieces_of_key(directory, key, n, filter, found, state)) {
    if (!state) return 0;
    return found.pieces.empty() || n == 0 ? state->commit.next_seq : found.pieces.back().view.seq;
  }
  ++impl_->key_scans;
  return seek_last(directory, n, [&](const RecordView& record) {
    return record.key == key && (!filter || filter(record));
  });
}

std::optional<RecordView> Reader::get(const DirectoryInfo& directory, std::string_view key) {
  SegmentView& view = impl_->view;
  FoundRecord found;
  for (Attempts attempts(view, directory.id); attempts.again();) {
    const std::optional<CommittedState> state = impl_->state_of(directory);
    if (!state) return std::nullopt;
    switch (KeyLookup(view, directory.id, *state, key).newest(found)) {
      case KeyLookup::Looked::found:
        if (is_due(found.header, state->commit, view.boot_now())) return std::nullopt;
        return ReaderImpl::view_of(found);
      case KeyLookup::Looked::absent:
        return std::nullopt;
      case KeyLookup::Looked::again:
      case KeyLookup::Looked::unwise:
        break;
    }
  }
  ++impl_->key_scans;
  return impl_->get_by_scan(directory, key);
}

std::optional<RecordView> ReaderImpl::get_by_scan(const DirectoryInfo& directory, std::string_view key) {
  std::optional<RecordView> result;
  for (Attempts attempts(view, directory.id); attempts.again();) {
    const std::optional<CommittedState> state = state_of(directory);
    if (!state || state->commit.records == 0) return std::nullopt;
    const std::uint64_t boot_now = view.boot_now();
    const Found got = walk_back(directory.id, *state, [&](const FoundRecord& found) {
      if (is_due(found.header, state->commit, boot_now)) return Visit::stop;
      if (found.key != key) return Visit::go_on;
      result = view_of(found);
      return Visit::stop;
    });
    if (got == Found::record) return result;
    // "Not there" counts only if nothing was committed meanwhile: a replaced value may have moved on.
    if (got == Found::end && view.generation(directory.id) == state->generation) return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace mayfly::shm
