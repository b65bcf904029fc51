// One reader that follows one directory: where it stands, what it missed, what waits to be sent.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/http_message.h"
#include "relayd/record_query.h"
#include "relayd/stream_cursor.h"
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
  bool replaced = false;                      // tell first that the reader's own place is gone
};

/// Gaps are exact. For a directory: the numbers that did not come. For a key: the difference of
/// ordinals; where the key was evicted whole in between, its ordinals began anew, so the count is
/// exact only if nothing else is possible, and else says `null` with the reason `key_restarted`.
class Subscriber {
 public:
  Subscriber(RecordQuery query, StreamFormat format, ResponseWriterPtr response, const StreamStart& start);

  /// Takes the next record of the directory. What was taken before is passed over.
  void offer(const SharedRecord& shared);
  /// All below `position` was offered, or lives no more.
  void reached(std::uint64_t position);
  /// The directory is another one now: begin with its oldest record.
  void restart(const DirectoryIdentity& identity);
  /// Hands what is ready to the connection.
  void flush();
  /// A comment that keeps proxies from hanging up; SSE only, when nothing was sent for 15 s.
  void keep_alive(std::uint64_t now_ms);

  const DirectoryIdentity& identity() const { return identity_; }
  std::uint64_t next_seq() const { return next_seq_; }
  /// True when the reader is so far behind that nothing more should be offered for now.
  bool full() const;
  ResponseWriter& response() { return *response_; }

  /// How it is served; its group's business.
  enum class Mode { live, catching_up, stalled };
  Mode mode = Mode::live;
  shm::Cursor own_place;  // while it is not live

 private:
  void offer_keyed(const SharedRecord& shared, std::uint64_t hole);
  void emit(const SharedRecord& shared);
  void gap(std::optional<std::uint64_t> missed, std::string_view reason, std::uint64_t next_seq,
           std::optional<std::uint32_t> next_ordinal);
  std::string cursor(std::uint64_t next_seq, std::optional<std::uint32_t> next_ordinal) const;

  RecordQuery query_;
  StreamFormat format_;
  ResponseWriterPtr response_;
  DirectoryIdentity identity_;
  std::uint64_t next_seq_;
  std::uint64_t follow_from_;
  bool fresh_;
  std::optional<std::uint32_t> next_ordinal_;
  std::uint64_t hole_ = 0;  // numbers that did not come since the key's last record
  std::string ready_;
  std::uint64_t last_sent_ms_ = 0;
  bool sent_ = false;
};

}  // namespace mayfly::relayd
