// Who is at the other end of a connection, as far as limits go, and how many connections each has.
//
// A source is an IPv4 address, the first 64 bits of an IPv6 address (what one customer is given), or,
// on a unix socket, the user whose process connected. All programs of one host that connect by
// 127.0.0.1 are one source.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <unordered_map>

namespace mayfly {

class PeerSource {
 public:
  /// Nobody in particular; all such are one source.
  PeerSource() = default;
  /// Of a connected stream socket. Never fails: what cannot be told is nobody in particular.
  static PeerSource of(int fd);
  /// The same where accept() has told the peer's address already.
  static PeerSource of(int fd, const sockaddr_storage& address);

  friend bool operator==(const PeerSource&, const PeerSource&) = default;
  struct Hash {
    std::size_t operator()(const PeerSource& source) const;
  };

 private:
  std::array<std::uint8_t, 9> bytes_{};  // what kind, then the address's, or the user's, bytes
};

/// Counts connections and says no beyond its limits. Thread-safe.
class ConnectionCounter {
 public:
  enum class Verdict { admitted, full, source_full };

  ConnectionCounter(std::uint64_t limit, std::uint64_t limit_per_source)
      : limit_(limit), limit_per_source_(limit_per_source) {}

  /// Counts one more of `source`, unless the verdict is another than admitted.
  Verdict enter(const PeerSource& source);
  /// One that had been admitted is gone.
  void leave(const PeerSource& source);
  std::uint64_t total() const;

 private:
  const std::uint64_t limit_;
  const std::uint64_t limit_per_source_;
  mutable std::mutex mutex_;  // guards all below
  std::uint64_t total_ = 0;
  std::unordered_map<PeerSource, std::uint64_t, PeerSource::Hash> of_source_;
};

}  // namespace mayfly
