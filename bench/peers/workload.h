// What every peer is sent: the same keys in the same order with the same values, in its own words.
//
// A stream is made of laps; a lap writes each of kKeys keys once, in an order drawn with a fixed
// seed. kBodyLaps different laps are prepared and repeated; the very last lap has values of its own,
// so that what a server holds for a key afterwards tells whether the end of the stream has arrived.
// All connections send the same stream: whichever comes last, the last value of a key is the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mayfly::bench {

inline constexpr std::size_t kKeys = 1024;
inline constexpr std::size_t kKeyBytes = 16;
inline constexpr std::size_t kValueBytes = 100;
inline constexpr std::size_t kBodyLaps = 16;
inline constexpr std::string_view kDirectory = "bench";

/// How a protocol puts records, and learns that they were taken.
struct Format {
  std::string_view name;
  std::string_view before_key;  // ... key, between, value, after: one record
  std::string_view between;
  std::string_view after;
  std::string_view greeting_end;  // what the server's first words end with; empty: it says nothing
  std::string_view hello;         // sent after that
  std::string_view hello_end;     // what its answer ends with; empty: none
  std::string_view begin;         // sent before a stream; not answered
  std::string_view barrier;       // sent behind a stream; empty: the protocol has none
  std::string_view barrier_end;   // what its answer ends with
};

/// Null: no such format.
const Format* find_format(std::string_view name);

/// The stream of one connection, in bytes. Immutable, any thread.
class Workload {
 public:
  /// `directory`: "bench" in the commands becomes this; of the same length.
  explicit Workload(const Format& format, std::string_view directory = kDirectory);

  std::size_t record_bytes() const { return record_bytes_; }
  /// Bytes of a stream of so many laps (at least 1).
  std::uint64_t stream_bytes(std::uint64_t laps) const { return laps * kKeys * record_bytes_; }
  /// What is to be sent at `place` of a stream of `laps`: at most `max_bytes`.
  std::string_view piece(std::uint64_t place, std::uint64_t laps, std::size_t max_bytes) const;
  /// "key value" a line: what a server holds for each key at the end.
  std::string last_values() const;

 private:
  void append_record(std::string& out, std::string_view key, std::string_view value) const;

  const Format& format_;
  const std::string before_key_;
  const std::size_t record_bytes_;
  std::string body_;
  std::string last_lap_;
  std::string last_values_;
};

}  // namespace mayfly::bench
