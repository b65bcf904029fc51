// What `mayfly load` is asked to send, and the bytes of it, made before the clock starts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shm/quotas.h"

namespace mayfly::cli {

struct LoadPlan {
  shm::Kind kind = shm::Kind::log;
  std::string prefix = "load";  // of directory names
  std::uint32_t connections = 4;
  std::uint32_t keys = 100;  // per directory
  std::uint32_t directories = 1;
  std::uint32_t value_bytes = 100;
  std::uint64_t rate = 0;                // records a second over all connections; 0: as fast as it goes
  double seconds = 0;                    // 0: until `records` are sent
  std::uint64_t records = 0;             // 0: until `seconds` are over
  std::uint32_t batch_bytes = 64 << 10;  // handed to one send() at most

  /// "load-log-3"
  std::string directory(std::uint32_t index) const;
};

/// Commands in RESP, back to back, for sending again and again. Immutable, any thread.
class LoadBlock {
 public:
  /// Goes round all keys of all directories as often as fits, at least 1 and at most kMaxBytes.
  explicit LoadBlock(const LoadPlan& plan);

  std::size_t records() const { return ends_.size(); }
  /// The bytes of records first .. first + count (within the block).
  std::string_view bytes(std::size_t first, std::size_t count) const;
  /// How many records from `first` on fit into `max_bytes`, at least 1, up to the block's end.
  std::size_t fitting(std::size_t first, std::size_t max_bytes) const;
  /// How many of the `count` records from `first` on are whole within `sent` bytes.
  std::size_t whole(std::size_t first, std::size_t count, std::size_t sent) const;

 private:
  std::size_t start(std::size_t record) const { return record == 0 ? 0 : ends_[record - 1]; }
  std::string bytes_;
  std::vector<std::size_t> ends_;
};

}  // namespace mayfly::cli
