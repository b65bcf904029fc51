// How much memory copies of large directories may take at once.
#pragma once

#include <cstdint>
#include <utility>

namespace mayfly::relayd {

/// Part of kCopyRoomBytes, given back at its end. False where there was not enough left: then the
/// directory is read in slices, and the answer leaves out what is evicted meanwhile. One loop thread.
class CopyRoom {
 public:
  static constexpr std::uint64_t kCopyRoomBytes = 64 << 20;

  static CopyRoom take(std::uint64_t bytes) {
    if (bytes > kCopyRoomBytes - in_use) return CopyRoom(0);
    in_use += bytes;
    return CopyRoom(bytes);
  }
  CopyRoom(CopyRoom&& other) noexcept : bytes_(std::exchange(other.bytes_, 0)) {}
  CopyRoom& operator=(CopyRoom&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~CopyRoom() { in_use -= bytes_; }
  explicit operator bool() const { return bytes_ > 0; }

 private:
  explicit CopyRoom(std::uint64_t bytes) : bytes_(bytes) {}

  static inline std::uint64_t in_use = 0;
  std::uint64_t bytes_;
};

}  // namespace mayfly::relayd
