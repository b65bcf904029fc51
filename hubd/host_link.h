// One server: its polls, and the requests for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/blake3.h"
#include "common/http_message.h"
#include "hubd/host_state.h"
#include "hubd/link_shared.h"
#include "hubd/relayed_request.h"

namespace mayfly::hubd {

/// What a server says of itself in the headers of its poll.
struct PollHeaders {
  std::string version;
  bool takes_scopes = false;
};

/// Belongs to the loop's thread.
class HostLink : public std::enable_shared_from_this<HostLink> {
 public:
  static constexpr std::size_t kMaxWaiting = 1000;
  static constexpr std::size_t kMaxWaitingBytes = 4 << 20;
  static constexpr std::size_t kMaxOpen = 4096;           // requests: waiting, asked, being answered
  static constexpr std::size_t kMaxBatchBytes = 1 << 20;  // of requests in one poll's answer
  static constexpr std::size_t kMaxPolls = 4;             // side by side, see park()

  HostLink(LinkShared& shared, std::string name, const Blake3Hash& key_hash);

  const std::string& name() const { return name_; }
  bool has_key(const Blake3Hash& key_hash) const;
  /// With another key, polls end with 401 and running answers are cut.
  void set_key(const Blake3Hash& key_hash);

  /// Takes a poll: answers it with what waits, or keeps it until something comes.
  ///
  /// A poll that is there already gets 500, as in PTTH, so that one whose connection died does not
  /// swallow requests. Two servers of one name would displace each other so for ever, each backing
  /// off ever longer; hence only once in LinkTimes::displacement_pause, else both stay, and the
  /// newer one gets the requests.
  void park(ResponseWriterPtr poll, PollHeaders headers);
  /// Sends a request, now or with the next poll. Answers 503 where too many wait.
  void ask(WrappedRequest wrapped, ResponseWriterPtr reader, RelayedRequest::Plan plan);
  /// Sends everybody away: polls and readers who wait with these texts, running answers by a cut.
  void dismiss(int poll_status, std::string_view poll_text, int status, std::string_view text);

  HostState state() const;

  /// For its requests.
  void request_done(RelayedRequest& request);

 private:
  struct Poll {
    std::uint64_t number;
    ResponseWriterPtr response;
    Deadlines::Key deadline;
  };
  using Polls = std::list<Poll>;

  bool takes_more(std::size_t size) const;
  void displace_polls();
  void keep(ResponseWriterPtr poll);
  void poll_gone(std::uint64_t number);
  void poll_idle(std::uint64_t number);
  Polls::iterator find_poll(std::uint64_t number);
  void drop_poll(Polls::iterator poll);
  void dismiss_polls(int status, std::string_view text);
  void deliver();
  void deliver_to(ResponseWriter& poll);
  void take_back_lost();
  void set_waiting(const RelayedRequestPtr& request);
  void unset_waiting(const RelayedRequest& request);

  LinkShared& shared_;
  std::string name_;
  Blake3Hash key_hash_;
  PollHeaders headers_;
  std::optional<std::uint64_t> last_seen_ns_;
  std::uint64_t last_poll_ms_ = 0;  // when a poll was last open
  bool between_polls_ = false;      // it was answered: the next one is on its way
  std::uint64_t displaced_ms_ = 0;
  bool displaced_before_ = false;
  bool warned_ = false;  // of several servers of this name
  Polls polls_;          // the oldest first
  std::uint64_t next_poll_ = 0;
  std::unordered_map<const RelayedRequest*, RelayedRequestPtr> open_;
  std::map<std::uint64_t, RelayedRequestPtr> waiting_;  // by order of arrival
  std::size_t waiting_bytes_ = 0;
  std::uint64_t next_number_ = 0;
  std::vector<std::weak_ptr<RelayedRequest>> last_batch_;  // of the last poll that carried some
  std::uint64_t last_batch_ms_ = 0;
};

}  // namespace mayfly::hubd
