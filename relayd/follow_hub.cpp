#include "relayd/follow_hub.h"

#include <utility>

namespace mayfly::relayd {

FollowHub::FollowHub(uv_loop_t* loop, const std::string& segment_path, SegmentView& segment,
                     SliceRunner& slices, std::function<void(bool)> set_waiting)
    : loop_(loop),
      segment_(segment),
      slices_(slices),
      set_waiting_(std::move(set_waiting)),
      self_(std::make_shared<FollowHub*>(this)),
      watcher_(loop, segment_path, segment.clocks(), [this] { look(); }) {}

FollowHub::~FollowHub() {
  if (subscribers_ > 0) set_waiting_(false);
}

void FollowHub::subscribe(const VisibleDirectory& directory, std::shared_ptr<Follower> subscriber) {
  const Key key{directory.kind(), directory.name()};
  subscriber->on_gone([hub = std::weak_ptr(self_), key, raw = subscriber.get()] {
    if (const auto self = hub.lock()) (*self)->unsubscribe(key, raw);
  });
  if (subscribers_++ == 0) {
    set_waiting_(true);  // before the first look: what is committed after it wakes us
    watcher_.set_active(true);
  }
  auto& group = groups_[key];
  if (!group) group = std::make_shared<FollowGroup>(key.second, key.first, segment_, slices_, left_);
  group->add(std::move(subscriber));
}

void FollowHub::unsubscribe(const Key& key, const Follower* subscriber) {
  const auto found = groups_.find(key);
  if (found == groups_.end()) return;
  found->second->remove(subscriber);
  if (found->second->empty()) groups_.erase(found);
  if (--subscribers_ > 0) return;
  watcher_.set_active(false);
  set_waiting_(false);
}

FollowCounts FollowHub::counts() const {
  FollowCounts counts;
  counts.left = left_;
  for (const auto& [key, group] : groups_) group->count(counts);
  return counts;
}

void FollowHub::look() {
  for (const auto& [key, group] : groups_) group->look();
}

void FollowHub::tick() {
  look();
  const std::uint64_t now = uv_now(loop_);
  for (const auto& [key, group] : groups_) group->keep_alive(now);
}

}  // namespace mayfly::relayd
