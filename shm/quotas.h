// What a directory may hold, and the words for what did not fit. One table each feeds the
// segment's counters, replies, JSON, metrics and the command line (contract, section 2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mayfly::shm {

/// A record's largest key + value, whatever the quotas say.
inline constexpr std::uint64_t kMaxRecordBytes = 16ull << 20;
/// A directory name's longest form (1 to 128 of A-Z a-z 0-9 . _ -, the first one of A-Z a-z 0-9 _).
inline constexpr std::size_t kMaxNameBytes = 128;

enum class Kind : std::uint8_t { none = 0, log = 1, status = 2 };
std::string_view kind_name(Kind kind);

/// Maxima. Any 64-bit value is legal: they are compared, never allocated.
/// Written so that every comparison in the engine has the form `len > max || used > max - len`.
struct Quotas {
  std::uint64_t max_keys = 1024;
  std::uint64_t max_key_bytes = 1024;
  std::uint64_t max_value_bytes = 1024;
  std::uint64_t max_total_bytes = 262144;    // live keys' and values' bytes, every record counts both
  std::uint64_t max_bytes_per_key = 262144;  // as max_total_bytes unless set
  std::uint64_t max_events_per_key = 2048;   // log only; a status key holds one value
  std::uint64_t max_age_seconds = 86400;     // on the boot-time clock; 0: stored and evicted at once
  std::uint64_t reserve_bytes = 0;           // physical bytes that other directories never take
  std::uint64_t stale_after_seconds = 0;     // status: 0 = never stale. For readers; the engine only keeps it
  bool drop_when_keys_full = false;          // when_keys_full: drop

  friend bool operator==(const Quotas&, const Quotas&) = default;
};

// Why a record was not stored, in the order in which a record is judged.
#define MAYFLY_DROP_CAUSES(X) \
  X(stopped)                  \
  X(bad_command)              \
  X(unknown_directory)        \
  X(too_many_directories)     \
  X(key_too_long)             \
  X(value_too_long)           \
  X(record_too_large)         \
  X(too_many_keys)            \
  X(too_many_events)          \
  X(no_memory)

// Why a stored record lives no more, in the order in which evictions are made.
#define MAYFLY_EVICT_CAUSES(X) \
  X(keys)                      \
  X(events_per_key)            \
  X(bytes_per_key)             \
  X(total_bytes)               \
  X(memory)                    \
  X(age)                       \
  X(quota_lowered)             \
  X(directory_removed)         \
  X(unset)

#define MAYFLY_ENUM_ITEM(name) name,
enum class DropCause : std::uint8_t { MAYFLY_DROP_CAUSES(MAYFLY_ENUM_ITEM) };
enum class EvictCause : std::uint8_t { MAYFLY_EVICT_CAUSES(MAYFLY_ENUM_ITEM) };
#undef MAYFLY_ENUM_ITEM

#define MAYFLY_NAME_ITEM(name) #name,
inline constexpr std::string_view kDropCauseNames[] = {MAYFLY_DROP_CAUSES(MAYFLY_NAME_ITEM)};
inline constexpr std::string_view kEvictCauseNames[] = {MAYFLY_EVICT_CAUSES(MAYFLY_NAME_ITEM)};
#undef MAYFLY_NAME_ITEM

inline constexpr std::size_t kDropCauses = std::size(kDropCauseNames);
inline constexpr std::size_t kEvictCauses = std::size(kEvictCauseNames);

using DropCounts = std::array<std::uint64_t, kDropCauses>;
using EvictCounts = std::array<std::uint64_t, kEvictCauses>;

inline std::string_view cause_name(DropCause cause) {
  return kDropCauseNames[static_cast<std::size_t>(cause)];
}
inline std::string_view cause_name(EvictCause cause) {
  return kEvictCauseNames[static_cast<std::size_t>(cause)];
}

/// True for a name that a directory may carry.
bool valid_directory_name(std::string_view name);

}  // namespace mayfly::shm
