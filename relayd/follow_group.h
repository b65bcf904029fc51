// All who follow one directory: its news are read from the segment once, and handed to everybody.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relayd/follower.h"
#include "relayd/reading_counts.h"
#include "relayd/segment_view.h"
#include "relayd/slice_runner.h"

namespace mayfly::relayd {

/// A subscriber is live (fed by the shared read), or reads by itself until it has caught up with
/// it, or stalled: its connection takes nothing more at present. Belongs to the loop's thread.
class FollowGroup : public std::enable_shared_from_this<FollowGroup> {
 public:
  /// `left` counts how often a subscriber could not keep up with the shared read; it outlives the group.
  FollowGroup(std::string name, shm::Kind kind, SegmentView& segment, SliceRunner& slices,
              std::uint64_t& left);

  void add(std::shared_ptr<Follower> subscriber);
  void remove(const Follower* subscriber);
  bool empty() const { return subscribers_.empty(); }
  /// Reads what is new, if anything is; one slice at once, the rest by the slice runner.
  void look();
  void keep_alive(std::uint64_t now_ms);
  /// Adds the subscribers to `counts`, by where they stand.
  void count(FollowCounts& counts) const;

 private:
  std::optional<shm::DirectoryInfo> locate(shm::Reader& reader);
  void begin_with(const DirectoryIdentity& identity);
  bool read_slice();
  bool catch_up_slice(const std::shared_ptr<Follower>& subscriber);
  void catch_up(const std::shared_ptr<Follower>& subscriber);
  void stall(const std::shared_ptr<Follower>& subscriber);
  bool has(const Follower* subscriber) const;
  std::uint64_t age_reference(const shm::Reader& reader) const;

  std::string name_;
  shm::Kind kind_;
  SegmentView& segment_;
  SliceRunner& slices_;
  std::uint64_t& left_;
  DirectoryIdentity identity_;
  std::uint32_t directory_id_ = 0;
  bool there_ = false;            // directory_id_ and generation_ mean something
  std::uint64_t generation_ = 0;  // as of the last shared read
  shm::Cursor head_;              // of the shared read
  bool reading_ = false;          // the slice runner goes on with it
  std::vector<std::shared_ptr<Follower>> subscribers_;
};

}  // namespace mayfly::relayd
