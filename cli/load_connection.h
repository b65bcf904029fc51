// One connection of `mayfly load`: sends prepared bytes round and round, and accounts for each record.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "cli/load_plan.h"
#include "cli/redis_replies.h"
#include "cli/reply_parser.h"
#include "cli/write_target.h"
#include "supervisor/fd.h"

namespace mayfly::cli {

/// sent = stored + dropped + unknown, by what the server answered.
struct LoadCounts {
  std::uint64_t sent = 0;     // records handed over whole
  std::uint64_t bytes = 0;    // of all commands
  std::uint64_t covered = 0;  // by a PONG, or answered
  std::uint64_t unknown = 0;  // never covered: their connection broke, or time ran out
  DropMap dropped;            // among the covered
  std::uint64_t breaks = 0;   // connections lost

  void add(const LoadCounts& other);
  std::uint64_t dropped_total() const;
};

/// Nothing is done per record while sending: where it stands is a place in the block, and records
/// are counted from places. Not thread-safe; `plan`, `block` and `targets` outlive it.
class LoadConnection {
 public:
  using Clock = std::chrono::steady_clock;

  LoadConnection(const LoadPlan& plan, const LoadBlock& block, const std::vector<WriteTarget>& targets,
                 std::size_t first_record);

  /// The descriptor to poll and for what; -1 while there is no connection.
  int fd() const { return fd_.get(); }
  short events(std::uint64_t allowance) const;
  /// Sends up to `allowance` more records, as many as the socket takes, and reads replies where
  /// `ready` (of poll) says that there are any. Reconnects by itself, without waiting.
  void work(short ready, std::uint64_t allowance);
  /// Records sent, and one more where a part of it is out.
  std::uint64_t begun() const { return block_.whole_at(block_.boundary(place_)) - first_; }
  /// After the last work(): sends the final barrier. True once all is answered, or cannot be.
  bool finish();
  /// What is not covered by now is unknown.
  void close();

  LoadCounts counts() const;

 private:
  bool connect();
  void lose_connection();
  void send_some(std::uint64_t end);
  bool send_tail();
  void note_barriers();
  void receive();
  void take(const Reply& reply);
  void cover(std::uint64_t up_to);
  void count_announced_drops();
  bool all_answered() const { return tail_.empty() && accounted_ == block_.whole_at(place_); }

  const LoadPlan& plan_;
  const LoadBlock& block_;
  const std::vector<WriteTarget>& targets_;
  std::size_t next_target_ = 0;
  supervisor::Fd fd_;
  Clock::time_point next_try_{};

  // Numbers of records below are those of the block's rounds: this connection begins with first_.
  const std::uint64_t first_;
  std::uint64_t place_;                 // in the block's rounds: what is to be sent next
  std::uint64_t accounted_;             // up to here it is known what became of the records
  std::uint64_t next_barrier_;          // of the block's, behind place_
  std::deque<std::uint64_t> barriers_;  // that are out, by the records before each
  std::string tail_;                    // of the final barrier: what is not out yet
  bool finishing_ = false;

  std::uint64_t bytes_ = 0;
  std::uint64_t covered_ = 0;
  std::uint64_t unknown_ = 0;
  std::uint64_t breaks_ = 0;
  DropMap dropped_;
  DropMap announced_drops_;   // the last answer to DROPPED; counts with the PONG behind it
  DropMap connection_drops_;  // what of this connection's drops was counted
  ReplyParser parser_;
  RedisReplies redis_;
};

}  // namespace mayfly::cli
