// How the end of a stream is noticed where the protocol itself does not tell: by asking how much has
// arrived at its place.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace mayfly::bench {

class Completion {
 public:
  virtual ~Completion() = default;
  /// So far, in the unit of `per_record()`.
  virtual std::uint64_t count() = 0;
  /// How much count() grows by one record of so many bytes.
  virtual std::uint64_t per_record(std::uint64_t record_bytes) const = 0;
  /// How long to wait between two looks: they must not cost the server much.
  virtual std::uint32_t pause_us() const = 0;
};

/// "file:PATH": the size of a file that each record is appended to as it is.
/// "jetstream:PORT:STREAM": the last sequence number of a stream.
/// Throws std::runtime_error for anything else.
std::unique_ptr<Completion> make_completion(const std::string& text);

}  // namespace mayfly::bench
