// What reading the data segment costs this relay, for its metrics.
#pragma once

#include <atomic>
#include <cstdint>

namespace mayfly::relayd {

/// Added to by every reader when it has done something. Any thread.
struct ReadCounts {
  std::atomic<std::uint64_t> segment_bytes = 0;  // of pages, copied out of the segment
  std::atomic<std::uint64_t> key_scans = 0;      // lookups by key that the key index could not answer
};

/// Those who follow something, by where they stand.
struct FollowCounts {
  std::uint64_t live = 0;         // fed by the shared read of their directory
  std::uint64_t catching_up = 0;  // reading by themselves, until they have come to the shared read
  std::uint64_t stalled = 0;      // their connections take nothing more at present
  std::uint64_t left = 0;  // since the start: how often one of them could not keep up with the shared read
};

/// Both, as of one moment.
struct ReadingCounts {
  std::uint64_t segment_bytes = 0;
  std::uint64_t key_scans = 0;
  FollowCounts follow;
};

}  // namespace mayfly::relayd
