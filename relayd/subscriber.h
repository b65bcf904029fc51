// A follower at the other end of an HTTP answer: its records as SSE, NDJSON or text.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "common/http_message.h"
#include "relayd/follower.h"
#include "relayd/record_query.h"
#include "relayd/stream_cursor.h"
#include "relayd/stream_output.h"

namespace mayfly::relayd {

class Subscriber : public Follower {
 public:
  /// begin() of the response was called.
  Subscriber(RecordQuery query, StreamFormat format, ResponseWriterPtr response, const StreamStart& start);
  ~Subscriber() override;

  void flush() override;
  /// A comment that keeps proxies from hanging up; SSE only, when nothing was sent for 15 s.
  void keep_alive(std::uint64_t now_ms) override;
  bool full() const override;
  void on_ready(std::function<void()> callback) override;
  void on_gone(std::function<void()> callback) override;

 protected:
  void take(const SharedRecord& shared, std::optional<std::uint32_t> next_ordinal) override;
  void take_gap(std::optional<std::uint64_t> missed, std::string_view reason, std::uint64_t next_seq,
                std::optional<std::uint32_t> next_ordinal) override;

 private:
  /// What may wait for one reader: an equal part of a common limit, the less the more there are.
  static std::size_t most_queued();
  std::string cursor(std::uint64_t next_seq, std::optional<std::uint32_t> next_ordinal) const;

  RecordQuery query_;
  StreamFormat format_;
  ResponseWriterPtr response_;
  std::string ready_;
  std::uint64_t last_sent_ms_ = 0;
  bool sent_ = false;
};

}  // namespace mayfly::relayd
