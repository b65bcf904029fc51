// A writer's connection: queues records, sends without ever blocking its caller, reconnects, and
// knows in the end what became of each record. Speaks the native listener's RESP.
//
// A record that was not handed over whole is sent again after a reconnect; one that was, but that
// no PONG covers yet when the connection breaks, is not (it may be stored): it counts as unknown.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/reply_parser.h"
#include "cli/write_target.h"
#include "supervisor/fd.h"

namespace mayfly::cli {

/// What became of the records: each is confirmed (dropped or stored), unknown, or lost.
struct WriteSummary {
  std::uint64_t confirmed = 0;                   // covered by a PONG
  std::uint64_t unknown = 0;                     // handed to the kernel, never confirmed
  std::uint64_t lost = 0;                        // never handed over
  std::map<std::string, std::uint64_t> dropped;  // by cause, as the server counted
  std::string trouble;                           // the last thing that went wrong, also where it was overcome

  std::uint64_t dropped_total() const;
  bool all_stored() const { return lost == 0 && unknown == 0 && dropped.empty(); }
};

class WriteClient {
 public:
  using Clock = std::chrono::steady_clock;

  /// `targets`: tried in turn, at least one.
  explicit WriteClient(std::vector<WriteTarget> targets);

  /// Queues one record. Where the queue is full (has_room() is false) it is counted as lost.
  void put(const std::vector<std::string_view>& arguments);
  bool has_room() const;
  /// The other end has taken something, or may still, within the last second.
  bool progressing() const;

  /// One turn: waits for the socket, and for `extra_fd` (-1: none) to become readable, up to
  /// `wait`; then sends and receives what can be. True when extra_fd is readable.
  bool turn(int extra_fd, std::chrono::milliseconds wait);

  /// Sends the rest and waits for the barrier, up to `limit`; what is open then stays unknown or lost.
  void finish(std::chrono::milliseconds limit);

  const WriteSummary& summary() const { return summary_; }

 private:
  enum class State : std::uint8_t { idle, connecting, connected };

  // What buffer_ holds, in order. A PING or DROPPED that is sent twice does no harm.
  enum class Entry : std::uint8_t { record, ping, dropped };
  struct Queued {
    std::size_t bytes;
    Entry entry;
  };

  void connect_next();
  void check_connect();
  void give_up(const std::string& trouble);
  void send_some();
  void receive_some();
  void take(const Reply& reply);
  void queue(std::string_view bytes, Entry entry);
  void ask_for_barrier();
  void advance(std::size_t bytes);
  void on_sent(Entry entry);
  std::size_t unsent() const { return buffer_.size() - sent_; }
  bool done() const;

  std::vector<WriteTarget> targets_;
  std::size_t next_target_ = 0;
  State state_ = State::idle;
  supervisor::Fd fd_;
  Clock::time_point next_try_{};
  std::size_t refused_in_a_row_ = 0;  // attempts to connect
  Clock::time_point last_progress_;
  std::string buffer_;
  std::size_t sent_ = 0;                // of buffer_; trimmed now and then
  std::deque<Queued> queue_;            // from the entry that sent_ lies in
  std::size_t head_sent_ = 0;           // bytes of queue_.front() that were sent
  std::size_t since_ping_ = 0;          // bytes queued since the last PING
  std::uint64_t in_flight_ = 0;         // records sent on this connection, not confirmed
  std::deque<std::uint64_t> barriers_;  // for each open PING: the records that it covers
  ReplyParser parser_;
  WriteSummary summary_;
};

}  // namespace mayfly::cli
