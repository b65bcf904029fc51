// Which directories there are, and what each holds now.
#include <algorithm>

#include "shm/reader_impl.h"

namespace mayfly::shm {

std::vector<DirectoryInfo> Reader::directories() const {
  std::vector<DirectoryInfo> all;
  SegmentView& view = impl_->view;
  for (std::uint32_t slot = 0; slot < view.slots_used(); ++slot) {
    CommittedState state;
    if (!view.load(slot, state) || state.commit.state != kStateOpen) continue;
    DirectoryInfo info = impl_->info_of(slot, state);
    info.name = view.load_name(slot, state.commit.incarnation);
    if (info.name.empty()) continue;
    all.push_back(impl_->with_due_evicted(std::move(info), state));
  }
  std::sort(all.begin(), all.end(), [](const DirectoryInfo& a, const DirectoryInfo& b) {
    return a.kind != b.kind ? a.kind < b.kind : a.name < b.name;
  });
  return all;
}

DirectoryInfo ReaderImpl::with_due_evicted(DirectoryInfo info, const CommittedState& state) {
  if (state.commit.records == 0) return info;
  RecordHeader oldest;
  const bool seen =
      view.load_header(state.commit.tail, oldest) == Found::record && oldest.seq == state.commit.first_seq;
  if (seen && !is_due(oldest, state.commit, view.boot_now())) return info;
  Reader::Snapshot snapshot;
  CommittedState newer = state;
  for (Attempts attempts(view, info.id); attempts.again();) {
    if (collect(info.id, newer, snapshot)) {
      snapshot.directory.name = info.name;
      return snapshot.directory;
    }
    if (!view.load(info.id, newer) || newer.commit.incarnation != info.incarnation) break;
  }
  return info;
}

std::optional<DirectoryInfo> Reader::find(Kind kind, std::string_view name) const {
  SegmentView& view = impl_->view;
  for (std::uint32_t slot = 0; slot < view.slots_used(); ++slot) {
    if (!view.may_be_named(slot, name)) continue;
    CommittedState state;
    if (!view.load(slot, state) || state.commit.state != kStateOpen) continue;
    if (state.commit.kind != static_cast<Word>(kind)) continue;
    if (view.load_name(slot, state.commit.incarnation) != name) continue;
    DirectoryInfo info = impl_->info_of(slot, state);
    info.name = name;
    return impl_->with_due_evicted(std::move(info), state);
  }
  return std::nullopt;
}

std::optional<DirectoryInfo> Reader::find(std::string_view name) const {
  auto found = find(Kind::log, name);
  return found ? found : find(Kind::status, name);
}

}  // namespace mayfly::shm
