// Where a read begins: the last ones, or from a time on.
#include "shm/reader_impl.h"

namespace mayfly::shm {

std::uint64_t Reader::seek_last(const DirectoryInfo& directory, std::uint64_t n, const RecordFilter& filter,
                                std::uint64_t max_bytes) {
  const std::uint64_t began_at = impl_->view.bytes_read();
  std::uint64_t oldest = 0;
  std::uint64_t end_seq = 0;
  for (Attempts attempts(impl_->view, directory.id); attempts.again();) {
    const std::optional<CommittedState> state = impl_->state_of(directory);
    if (!state) return 0;
    end_seq = state->commit.next_seq;
    oldest = end_seq;
    if (n == 0 || state->commit.records == 0) return oldest;
    const std::uint64_t boot_now = impl_->view.boot_now();
    std::uint64_t left = n;
    const Found got = impl_->walk_back(directory.id, *state, [&](const FoundRecord& found) {
      if (is_due(found.header, state->commit, boot_now)) return Visit::stop;  // so are all before it
      if (filter && !filter(ReaderImpl::view_of(found))) {
        return impl_->view.bytes_read() - began_at < max_bytes ? Visit::go_on : Visit::stop;
      }
      oldest = found.header.seq;
      return --left > 0 && impl_->view.bytes_read() - began_at < max_bytes ? Visit::go_on : Visit::stop;
    });
    if (got == Found::end || got == Found::record) return oldest;
  }
  return oldest;
}

std::uint64_t Reader::seek_time(const DirectoryInfo& directory, std::uint64_t wall_ns) {
  for (Attempts attempts(impl_->view, directory.id); attempts.again();) {
    const std::optional<CommittedState> state = impl_->state_of(directory);
    if (!state || state->commit.records == 0) return state ? state->commit.next_seq : 0;
    // Back over whole pages while they begin at or after the time, then forward to the record.
    PageImage image;
    RecordHeader first;
    Ref place = state->commit.head;
    Found got = Found::broken;
    for (std::uint32_t pages = impl_->view.geometry().pages + 1; pages > 0; --pages) {
      got = impl_->view.peek_page(place, *state, image, first);
      if (got != Found::record) break;
      place = image.place;
      const bool starts = image.role != PageRole::continuation;
      if ((starts && (first.time_ns < wall_ns || first.seq <= state->commit.first_seq)) || image.prev == 0)
        break;
      place = image.prev;
    }
    if (got != Found::record) continue;
    std::uint64_t seq = state->commit.next_seq;
    got = impl_->walk(directory.id, *state, place, 0, [&](const FoundRecord& found) {
      if (found.header.time_ns < wall_ns) return Visit::go_on;
      seq = found.header.seq;
      return Visit::stop;
    });
    if (got == Found::end || got == Found::record) return seq;
  }
  return 0;
}

}  // namespace mayfly::shm
