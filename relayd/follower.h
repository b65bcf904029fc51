// Somebody who follows one directory: where he stands and what he missed. What he makes of records
// and gaps is left to the kinds of followers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "relayd/stream_output.h"
#include "shm/reader.h"

namespace mayfly::relayd {

/// Which directory of which segment; all 0: none yet.
struct DirectoryIdentity {
  std::uint64_t instance = 0;
  std::uint64_t incarnation = 0;
  bool known() const { return instance != 0; }
  friend bool operator==(const DirectoryIdentity&, const DirectoryIdentity&) = default;
};

/// Where a stream begins.
struct StreamStart {
  DirectoryIdentity identity;
  std::uint64_t next_seq = 0;  // the first one wanted
  /// From here on a seq that never comes is missed; below it is history, where holes are normal.
  std::uint64_t follow_from = 0;
  std::optional<std::uint32_t> next_ordinal;  // of the key's first record from follow_from on
  bool fresh = false;                         // begin with the oldest there is, whatever its number
  /// Of the key that is followed: what is wanted below follow_from, already read; next_seq is its first.
  std::shared_ptr<const shm::Reader::Snapshot> history;
  bool replaced = false;  // tell first that the reader's own place is gone
};

/// Gaps are exact. For a directory: the numbers that did not come. For a key: the difference of
/// ordinals; where the key was evicted whole in between, its ordinals began anew, so the count is
/// exact only if nothing else is possible, and else says `null` with the reason `key_restarted`.
/// Belongs to the loop's thread.
class Follower {
 public:
  /// `key`: of the only key that is followed; nothing: all.
  Follower(std::optional<std::string> key, const StreamStart& start);
  virtual ~Follower() = default;
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  /// Takes the next record of the directory. What was taken before is passed over.
  void offer(const SharedRecord& shared);
  /// All below `position` was offered, or lives no more.
  void reached(std::uint64_t position);
  /// The directory is another one now: begin with its oldest record.
  void restart(const DirectoryIdentity& identity);

  const DirectoryIdentity& identity() const { return identity_; }
  std::uint64_t next_seq() const { return next_seq_; }

  /// Hands on what is ready.
  virtual void flush() = 0;
  /// Once a second.
  virtual void keep_alive(std::uint64_t now_ms) = 0;
  /// True when he is so far behind that nothing more should be offered for now.
  virtual bool full() const = 0;
  /// Called once, when he is not full any more.
  virtual void on_ready(std::function<void()> callback) = 0;
  /// Called once, when he follows no more.
  virtual void on_gone(std::function<void()> callback) = 0;

  /// How he is served; his group's business.
  enum class Mode { live, catching_up, stalled };
  Mode mode = Mode::live;
  shm::Cursor own_place;  // while he is not live

 protected:
  /// A record of the key. `next_ordinal` is there where one key is followed.
  virtual void take(const SharedRecord& shared, std::optional<std::uint32_t> next_ordinal) = 0;
  /// `missed` nothing: nobody knows how many, and `reason` says why. The stream goes on at `next_seq`.
  virtual void take_gap(std::optional<std::uint64_t> missed, std::string_view reason, std::uint64_t next_seq,
                        std::optional<std::uint32_t> next_ordinal) = 0;

  bool is_keyed() const { return key_.has_value(); }
  bool is_fresh() const { return fresh_; }
  std::uint64_t follow_from() const { return follow_from_; }
  const std::optional<std::uint32_t>& next_ordinal() const { return next_ordinal_; }

 private:
  void offer_keyed(const SharedRecord& shared, std::uint64_t hole);

  std::optional<std::string> key_;
  DirectoryIdentity identity_;
  std::uint64_t next_seq_;
  std::uint64_t follow_from_;
  bool fresh_;
  std::optional<std::uint32_t> next_ordinal_;
  std::uint64_t hole_ = 0;  // numbers that did not come since the key's last record
};

}  // namespace mayfly::relayd
