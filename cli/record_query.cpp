#include "cli/record_query.h"

#include "cli/output.h"
#include "common/json_view.h"
#include "common/text.h"

namespace mayfly::cli {

using shm::Errc;
using shm::Error;
using shm::Result;

bool RecordQuery::matches(const shm::RecordView& record) const {
  if (key && record.key != *key) return false;
  if (since_ns && record.time_ns < *since_ns) return false;
  return !grep || re2::RE2::PartialMatch(re2::StringPiece(record.value.data(), record.value.size()), *grep);
}

Result<std::shared_ptr<const re2::RE2>> compile_pattern(const std::string& pattern) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  if (!is_utf8(pattern)) options.set_encoding(re2::RE2::Options::EncodingLatin1);
  auto compiled = std::make_shared<const re2::RE2>(pattern, options);
  if (!compiled->ok()) return Error{Errc::invalid, "--grep: " + compiled->error()};
  return std::shared_ptr<const re2::RE2>(std::move(compiled));
}

bool RecordPrinter::record(const shm::RecordView& record) {
  std::string line;
  if (globals_.json) {
    append_log_record(line, record);
  } else if (must_escape(globals_)) {
    append_text_record(line, record);
  } else {
    line = format_time(record.time_ns);
    line.append(" ").append(record.key).append(" ").append(record.value);
  }
  return print_line(line);
}

bool RecordPrinter::gap(std::optional<std::uint64_t> missed, std::string_view reason) {
  return print_line(globals_.json ? gap_line_json(missed, reason) : gap_text(missed, reason));
}

bool RecordPrinter::flush() { return flush_output(); }

}  // namespace mayfly::cli
