// What `mayfly load` is asked to send, and the bytes of it, made before the clock starts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shm/quotas.h"
#include "shm/result.h"

namespace mayfly::cli {

/// How the records are put: RESP arrays or inline lines to the native listener, or the commands of a
/// Redis client (HSET, XADD) to the other one, which answers each.
enum class Dialect : std::uint8_t { resp, line, redis };

struct LoadPlan {
  shm::Kind kind = shm::Kind::log;
  Dialect dialect = Dialect::resp;
  std::string prefix = "load";  // of directory names
  std::uint32_t threads = 1;    // that send
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

/// Commands back to back, for sending round and round: each key of each directory at least once a
/// round, and for the native listener a barrier (DROPPED, PING) about every 256 KiB and at the end.
/// A place is a number of bytes sent, over all rounds. Immutable, any thread.
class LoadBlock {
 public:
  /// Errors: invalid (one round would take some GiB).
  static shm::Result<LoadBlock> make(const LoadPlan& plan);

  std::size_t records() const { return ends_.size(); }  // of one round
  /// What is to be sent at a place: at most `max_bytes`, up to the round's end.
  std::string_view piece(std::uint64_t place, std::uint64_t max_bytes) const;
  /// How many records are whole at a place.
  std::uint64_t whole_at(std::uint64_t place) const;
  /// Where so many records end (or the next round begins).
  std::uint64_t place_of(std::uint64_t records) const;
  /// The first place from `place` on where neither a record nor a barrier is cut.
  std::uint64_t boundary(std::uint64_t place) const;
  /// How many barriers are out whole at a place.
  std::uint64_t barriers_at(std::uint64_t place) const;
  /// How many records come before barrier number `index`.
  std::uint64_t records_before(std::uint64_t barrier) const;

 private:
  struct Barrier {
    std::size_t begin;
    std::size_t end;
    std::size_t records;
  };
  LoadBlock() = default;
  void add_barrier();
  std::size_t whole_in_round(std::size_t offset) const;
  std::string bytes_;
  std::vector<std::size_t> ends_;
  std::vector<Barrier> barriers_;
};

/// What is sent to learn what became of the records before it.
inline constexpr std::string_view kLoadBarrier = "*1\r\n$7\r\nDROPPED\r\n*1\r\n$4\r\nPING\r\n";

}  // namespace mayfly::cli
