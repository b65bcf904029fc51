// How records and gaps look in a stream: NDJSON, text lines, or server-sent events.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shm/reader.h"

namespace mayfly::relayd {

enum class StreamFormat { ndjson, text, sse };

std::string_view content_type(StreamFormat format);

/// One record on its way to many readers: each form is made once, when first asked for.
class SharedRecord {
 public:
  SharedRecord(const shm::RecordView& record, shm::Kind kind, std::uint64_t age_reference_ns)
      : record_(record), kind_(kind), age_reference_ns_(age_reference_ns) {}

  const shm::RecordView& record() const { return record_; }
  /// The object of the read API.
  const std::string& json() const;
  /// `time key line`.
  const std::string& text() const;

 private:
  const shm::RecordView& record_;
  shm::Kind kind_;
  std::uint64_t age_reference_ns_;
  mutable std::string json_;
  mutable std::string text_;
};

/// Appends a record. `cursor` is the event's id; used for SSE only.
void append_stream_record(std::string& out, StreamFormat format, const SharedRecord& record,
                          std::string_view cursor);
/// Appends a gap; `missed` nothing: nobody knows how many, and `reason` says why.
void append_stream_gap(std::string& out, StreamFormat format, std::optional<std::uint64_t> missed,
                       std::string_view reason, std::string_view cursor);

}  // namespace mayfly::relayd
