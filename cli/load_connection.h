// One connection of `mayfly load`: sends prepared records and accounts for each.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "cli/load_plan.h"
#include "cli/reply_parser.h"
#include "cli/write_target.h"
#include "supervisor/fd.h"

namespace mayfly::cli {

using DropMap = std::map<std::string, std::uint64_t>;

/// sent = stored + dropped + unknown, by what PONG and DROPPED said.
struct LoadCounts {
  std::uint64_t sent = 0;     // records handed over whole
  std::uint64_t bytes = 0;    // of all commands
  std::uint64_t covered = 0;  // by a PONG
  std::uint64_t unknown = 0;  // never covered: their connection broke, or time ran out
  DropMap dropped;            // among the covered
  std::uint64_t breaks = 0;   // connections lost

  void add(const LoadCounts& other);
  std::uint64_t dropped_total() const;
};

/// Not thread-safe; `block` and `targets` outlive it.
class LoadConnection {
 public:
  using Clock = std::chrono::steady_clock;

  LoadConnection(const LoadPlan& plan, const LoadBlock& block, const std::vector<WriteTarget>& targets,
                 std::size_t first_record);

  /// The descriptor to poll and for what; -1 while there is no connection.
  int fd() const { return fd_.get(); }
  short events(std::uint64_t allowance) const;
  /// Sends up to `allowance` more records, as many as the socket takes, and reads replies.
  /// Reconnects by itself, without waiting.
  void work(std::uint64_t allowance);
  /// Records sent, and one more where a part of it is out.
  std::uint64_t begun() const { return counts_.sent + (pending_record_ ? 1 : 0); }
  /// After the last work(): sends the final barrier. True once it has come back, or cannot.
  bool finish();
  /// What is not covered by now is unknown.
  void close();

  const LoadCounts& counts() const { return counts_; }

 private:
  bool connect();
  void lose_connection();
  bool send_pending();
  void send_records(std::uint64_t allowance);
  void queue_barrier();
  void receive();
  void take(const Reply& reply);
  void count_announced_drops();

  const LoadPlan& plan_;
  const LoadBlock& block_;
  const std::vector<WriteTarget>& targets_;
  std::size_t next_target_ = 0;
  supervisor::Fd fd_;
  Clock::time_point next_try_{};
  std::size_t next_record_;      // in block_
  std::string pending_;          // the rest of a record or barrier that was sent in part
  bool pending_record_ = false;  // pending_ ends a record: it counts once it is out
  std::uint64_t in_flight_ = 0;  // sent, not covered
  std::uint64_t since_barrier_ = 0;
  std::deque<std::uint64_t> barriers_;
  DropMap announced_drops_;   // the last answer to DROPPED; counts with the PONG behind it
  DropMap connection_drops_;  // what of this connection's drops was counted
  ReplyParser parser_;
  bool finishing_ = false;
  LoadCounts counts_;
};

}  // namespace mayfly::cli
