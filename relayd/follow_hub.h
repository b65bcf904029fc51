// Everybody who follows something, grouped by directory.
#pragma once

#include <uv.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "relayd/commit_watcher.h"
#include "relayd/follow_group.h"
#include "relayd/read_scope.h"

namespace mayfly::relayd {

/// Belongs to the loop's thread.
class FollowHub {
 public:
  /// `set_waiting` asks the segment's writer to wake readers, or not to. All outlive the hub.
  FollowHub(uv_loop_t* loop, const std::string& segment_path, SegmentView& segment, SliceRunner& slices,
            std::function<void(bool)> set_waiting);
  ~FollowHub();

  /// Serves the follower until he is gone.
  void subscribe(const VisibleDirectory& directory, std::shared_ptr<Follower> subscriber);
  /// Once a second: looks at what no wake told of, and keeps quiet connections alive.
  void tick();
  std::size_t subscribers() const { return subscribers_; }
  FollowCounts counts() const;

 private:
  using Key = std::pair<shm::Kind, std::string>;
  void unsubscribe(const Key& key, const Follower* subscriber);
  void look();

  uv_loop_t* loop_;
  SegmentView& segment_;
  SliceRunner& slices_;
  std::function<void(bool)> set_waiting_;
  std::map<Key, std::shared_ptr<FollowGroup>> groups_;
  std::size_t subscribers_ = 0;
  std::uint64_t left_ = 0;            // FollowCounts::left; the groups add to it
  std::shared_ptr<FollowHub*> self_;  // callbacks that come after the end see it expired
  CommitWatcher watcher_;
};

}  // namespace mayfly::relayd
