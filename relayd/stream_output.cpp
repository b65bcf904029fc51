#include "relayd/stream_output.h"

#include "common/json_view.h"

namespace mayfly::relayd {
namespace {

void append_event(std::string& out, std::string_view event, std::string_view cursor, std::string_view data) {
  if (!cursor.empty()) {
    out += "id: ";
    out += cursor;
    out += '\n';
  }
  out += "event: ";
  out += event;
  out += "\ndata: ";
  out += data;
  out += "\n\n";
}

}  // namespace

std::string_view content_type(StreamFormat format) {
  switch (format) {
    case StreamFormat::ndjson:
      return "application/x-ndjson";
    case StreamFormat::text:
      return "text/plain; charset=utf-8";
    case StreamFormat::sse:
      return "text/event-stream";
  }
  return "application/octet-stream";
}

const std::string& SharedRecord::json() const {
  if (json_.empty()) append_record(json_, kind_, record_, age_reference_ns_);
  return json_;
}

const std::string& SharedRecord::text() const {
  if (text_.empty()) append_text_record(text_, record_);
  return text_;
}

void append_stream_record(std::string& out, StreamFormat format, const SharedRecord& record,
                          std::string_view cursor) {
  if (format == StreamFormat::sse) return append_event(out, "record", cursor, record.json());
  out += format == StreamFormat::text ? record.text() : record.json();
  out += '\n';
}

void append_stream_gap(std::string& out, StreamFormat format, std::optional<std::uint64_t> missed,
                       std::string_view reason, std::string_view cursor) {
  if (format == StreamFormat::sse) return append_event(out, "gap", cursor, gap_json(missed, reason));
  out += format == StreamFormat::text ? gap_text(missed, reason) : gap_line_json(missed, reason);
  out += '\n';
}

}  // namespace mayfly::relayd
