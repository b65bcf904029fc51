#include "relayd/follow_group.h"

#include <algorithm>
#include <utility>

#include "common/json_view.h"

namespace mayfly::relayd {
namespace {

constexpr std::uint64_t kSliceBytes = 128 << 10;

shm::ReadLimits slice_limits() {
  shm::ReadLimits limits;
  limits.max_bytes = kSliceBytes;
  return limits;
}

}  // namespace

FollowGroup::FollowGroup(std::string name, shm::Kind kind, SegmentView& segment, SliceRunner& slices,
                         std::uint64_t& left)
    : name_(std::move(name)), kind_(kind), segment_(segment), slices_(slices), left_(left) {
  shm::Reader* reader = segment_.current();
  const auto directory = reader != nullptr ? reader->find(kind_, name_) : std::nullopt;
  if (!directory) return;
  identity_ = {segment_.instance(), directory->incarnation};
  head_.next_seq = directory->next_seq;
  directory_id_ = directory->id;
  generation_ = directory->generation;
  there_ = true;
}

bool FollowGroup::has(const Follower* subscriber) const {
  return std::any_of(subscribers_.begin(), subscribers_.end(),
                     [&](const auto& entry) { return entry.get() == subscriber; });
}

void FollowGroup::add(std::shared_ptr<Follower> subscriber) {
  // The newcomer's place is of the segment as it is now: those before it have to be told first.
  if (shm::Reader* reader = segment_.current()) locate(*reader);
  subscribers_.push_back(subscriber);
  if (identity_.known() && subscriber->identity() != identity_) subscriber->restart(identity_);
  subscriber->flush();
  if (identity_.known() && subscriber->next_seq() < head_.next_seq) catch_up(subscriber);
  look();
}

void FollowGroup::remove(const Follower* subscriber) {
  std::erase_if(subscribers_, [&](const auto& entry) { return entry.get() == subscriber; });
}

/// Where the directory is now. Tells everybody when it is another one than before.
std::optional<shm::DirectoryInfo> FollowGroup::locate(shm::Reader& reader) {
  auto directory = reader.find(kind_, name_);
  there_ = directory.has_value();
  if (!there_) return std::nullopt;
  directory_id_ = directory->id;
  const DirectoryIdentity identity{segment_.instance(), directory->incarnation};
  if (identity != identity_) begin_with(identity);
  return directory;
}

void FollowGroup::begin_with(const DirectoryIdentity& identity) {
  identity_ = identity;
  head_ = shm::Cursor{};
  for (const auto& subscriber : subscribers_) subscriber->restart(identity);
}

void FollowGroup::look() {
  if (reading_) return;
  shm::Reader* reader = segment_.current();
  if (reader == nullptr) return;
  const bool same_segment = segment_.instance() == identity_.instance;
  if (there_ && same_segment && reader->generation(directory_id_) == generation_) return;
  reading_ = read_slice();
  if (!reading_) return;
  slices_.add([group = shared_from_this()] {
    group->reading_ = !group->empty() && group->read_slice();
    return group->reading_;
  });
}

std::uint64_t FollowGroup::age_reference(const shm::Reader& reader) const {
  if (kind_ != shm::Kind::status) return 0;
  return age_reference_ns(reader.info(), segment_.clocks().boot_ns());
}

bool FollowGroup::read_slice() {
  shm::Reader* reader = segment_.current();
  if (reader == nullptr) return false;
  const auto directory = locate(*reader);
  if (!directory) return false;
  const std::uint64_t reference = age_reference(*reader);
  const auto sink = [&](const shm::RecordView& record) {
    const SharedRecord shared(record, kind_, reference);
    for (const auto& subscriber : subscribers_) {
      if (subscriber->mode == Follower::Mode::live) subscriber->offer(shared);
    }
    return true;
  };
  const shm::ReadResult result = reader->read(*directory, head_, slice_limits(), sink);
  if (result.reached_end) head_.next_seq = std::max(head_.next_seq, directory->next_seq);
  for (const auto& subscriber : subscribers_) {
    if (subscriber->mode != Follower::Mode::live) continue;
    if (result.reached_end) subscriber->reached(head_.next_seq);
    subscriber->flush();
    if (subscriber->full()) stall(subscriber);
  }
  if (!result.reached_end) return true;
  generation_ = directory->generation;
  // A wake that came while slices ran was passed over by look(): its news must not wait.
  return reader->generation(directory->id) != generation_;
}

void FollowGroup::catch_up(const std::shared_ptr<Follower>& subscriber) {
  subscriber->mode = Follower::Mode::catching_up;
  subscriber->own_place.next_seq = std::max(subscriber->own_place.next_seq, subscriber->next_seq());
  slices_.add([group = shared_from_this(), subscriber] { return group->catch_up_slice(subscriber); });
}

bool FollowGroup::catch_up_slice(const std::shared_ptr<Follower>& subscriber) {
  if (!has(subscriber.get())) return false;
  shm::Reader* reader = segment_.current();
  const auto directory = reader != nullptr ? locate(*reader) : std::nullopt;
  if (!directory) {  // whatever comes next begins anew, for everybody
    subscriber->mode = Follower::Mode::live;
    return false;
  }
  const std::uint64_t reference = age_reference(*reader);
  const auto sink = [&](const shm::RecordView& record) {
    subscriber->offer(SharedRecord(record, kind_, reference));
    return !subscriber->full();
  };
  const shm::ReadResult result = reader->read(*directory, subscriber->own_place, slice_limits(), sink);
  if (result.reached_end && !subscriber->full()) subscriber->reached(directory->next_seq);
  subscriber->flush();
  if (subscriber->full()) {
    stall(subscriber);
    return false;
  }
  if (!result.reached_end && subscriber->next_seq() < head_.next_seq) return true;
  subscriber->mode = Follower::Mode::live;
  return false;
}

void FollowGroup::stall(const std::shared_ptr<Follower>& subscriber) {
  if (subscriber->mode == Follower::Mode::live) ++left_;
  subscriber->mode = Follower::Mode::stalled;
  subscriber->own_place = shm::Cursor{subscriber->next_seq(), 0};
  subscriber->on_ready([group = weak_from_this(), weak = std::weak_ptr(subscriber)] {
    const auto self = group.lock();
    const auto stalled = weak.lock();
    if (self && stalled && self->has(stalled.get())) self->catch_up(stalled);
  });
}

void FollowGroup::count(FollowCounts& counts) const {
  for (const auto& subscriber : subscribers_) {
    switch (subscriber->mode) {
      case Follower::Mode::live:
        ++counts.live;
        break;
      case Follower::Mode::catching_up:
        ++counts.catching_up;
        break;
      case Follower::Mode::stalled:
        ++counts.stalled;
        break;
    }
  }
}

void FollowGroup::keep_alive(std::uint64_t now_ms) {
  for (const auto& subscriber : subscribers_) subscriber->keep_alive(now_ms);
}

}  // namespace mayfly::relayd
