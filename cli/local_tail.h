// `mayfly tail` on a local segment: the newest records that match, then (-f) those to come.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "cli/command.h"
#include "cli/record_query.h"
#include "shm/reader.h"

namespace mayfly::cli {

/// Follows across a directory that is removed and made again, and across a segment that is
/// replaced; both are told as a gap of unknown size. Missed records are counted exactly while the
/// directory lives: by sequence number, for one key by its own count; unless it was evicted whole, and begun
/// anew, where nobody was looking: then it is told that the number is not known. One thread.
class LocalTail {
 public:
  LocalTail(const Globals& globals, const RecordQuery& query);

  /// The exit code. With `query.follow` only at an error, or when the output is gone.
  int run();

 private:
  using Clock = std::chrono::steady_clock;
  enum class Found : std::uint8_t { yes, not_yet, never };

  int print_moment();
  Found attach();
  Found locate();
  void begin(const shm::DirectoryInfo& info);
  std::uint64_t start_seq(const shm::DirectoryInfo& info);
  void learn_ordinal(const shm::DirectoryInfo& info);
  bool drain();
  bool take(const shm::RecordView& record);
  void count_missed(const shm::RecordView& record);
  void pause(bool was_busy);

  const Globals& globals_;
  const RecordQuery& query_;
  RecordPrinter printer_;
  std::optional<shm::Reader> reader_;
  std::uint64_t instance_ = 0;
  std::optional<shm::DirectoryInfo> directory_;
  bool began_before_ = false;  // what is found from now on replaces what was followed
  shm::Cursor cursor_;
  std::uint64_t seen_generation_ = 0;
  std::uint64_t expected_seq_ = 0;  // the next one, if nothing is missed; counts from the follow's start
  std::optional<std::uint32_t> expected_ordinal_;  // of query_.key
  std::uint64_t hole_ = 0;                         // numbers that did not come since the key's last record
  std::uint64_t missed_ = 0;                       // not yet told
  bool unknown_missed_ = false;                    // and more of which nobody knows how many
  bool output_gone_ = false;
  std::string complaint_;
  Clock::time_point last_news_;
  Clock::time_point last_replaced_check_;
};

}  // namespace mayfly::cli
