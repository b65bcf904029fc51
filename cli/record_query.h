// Which records `mayfly tail` and `inspect` show, and how.
#pragma once

#include <re2/re2.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cli/command.h"
#include "shm/reader.h"
#include "shm/result.h"

namespace mayfly::cli {

struct RecordQuery {
  std::string directory;
  std::optional<std::string> key;
  std::optional<std::uint64_t> last;      // so many of the newest that match
  std::optional<std::uint64_t> since_ns;  // wall clock
  std::shared_ptr<const re2::RE2> grep;   // in the line; null: all
  bool follow = false;

  bool matches(const shm::RecordView& record) const;
};

/// Errors: invalid.
shm::Result<std::shared_ptr<const re2::RE2>> compile_pattern(const std::string& pattern);

/// Prints records and gaps as --json, terminal and pipe want them. False once the output is gone.
class RecordPrinter {
 public:
  explicit RecordPrinter(const Globals& globals) : globals_(globals) {}
  bool record(const shm::RecordView& record);
  bool gap(std::optional<std::uint64_t> missed, std::string_view reason = {});
  bool flush();

 private:
  const Globals& globals_;
};

}  // namespace mayfly::cli
