// One live tail: everything that a selector fits, directories that appear later among it.
#pragma once

#include <uv.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/loki_answer.h"
#include "common/loki_request.h"
#include "common/loki_tail_output.h"
#include "common/loop_timer.h"
#include "relayd/follow_hub.h"
#include "relayd/loki_counts.h"
#include "relayd/loki_logs.h"
#include "relayd/segment_access.h"

namespace mayfly::relayd {

class LokiTailFollower;

/// Where a tail follows from: each directory's next_seq. Instance 0: there was no segment.
struct LokiTailPlaces {
  std::uint64_t instance = 0;
  std::vector<shm::DirectoryInfo> directories;
};

/// Belongs to the loop's thread. A reader that is slow is waited for: what was evicted before he
/// came to it is told in dropped_entries.
class LokiTail : public std::enable_shared_from_this<LokiTail> {
 public:
  struct Parts {
    uv_loop_t* loop;
    SegmentAccess segment;
    FollowHub& follow;
    std::shared_ptr<LokiCounts> counts;
  };

  /// `on_gone` is called once, from the loop, when the reader is gone; not after end().
  LokiTail(const Parts& parts, ReadScope scope, loki::TailQuestion question,
           std::unique_ptr<loki::TailOutput> output, std::function<void()> on_gone);
  ~LokiTail();
  LokiTail(const LokiTail&) = delete;
  LokiTail& operator=(const LokiTail&) = delete;

  /// Once, before anything else.
  void watch_reader();
  /// Sends what there was, then follows from these places on.
  void begin(const LokiLogAnswer& history, const LokiTailPlaces& places);
  /// True while somebody reads.
  bool is_open() const { return output_ != nullptr && !gone_; }
  /// Follows no more. Idempotent. `reason`: for the reader.
  void end(std::string_view reason);

  // For its followers:
  const logql::LogQuery& query() const { return question_.query; }
  void take(const logql::Labels& labels, loki::Entry entry);
  void take_gap(loki::DroppedEntries gap);
  void flush();
  bool full() const;
  void on_ready(std::function<void()> callback);

 private:
  using Place = std::pair<shm::Kind, std::string>;

  void send_history(const LokiLogAnswer& history);
  void follow(const shm::DirectoryInfo& directory, const StreamStart& start);
  void look_for_directories();
  void tick();
  void set_pace();
  void move_due();
  std::size_t most_held() const;

  Parts parts_;
  ReadScope scope_;
  loki::TailQuestion question_;
  std::unique_ptr<loki::TailOutput> output_;
  LoopTimer timer_;
  std::uint64_t looked_ms_ = 0;
  std::uint64_t sent_ms_ = 0;
  bool began_ = false;
  bool gone_ = false;
  std::function<void()> on_gone_;
  std::map<Place, std::shared_ptr<LokiTailFollower>> followers_;
  std::map<logql::Labels, std::vector<loki::Entry>> ready_;
  std::vector<loki::DroppedEntries> dropped_;
  std::multimap<std::uint64_t, std::pair<logql::Labels, loki::Entry>> delayed_;  // by the time it is due
  std::size_t held_bytes_ = 0;                                                   // of ready_ and delayed_
  std::vector<std::function<void()>> stalled_;
};

}  // namespace mayfly::relayd
