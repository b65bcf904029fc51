// A mapped file that somebody truncates would end its process with SIGBUS at the next look. The
// guard puts memory of zeros in the place of what is gone, and remembers it: readers then find
// nonsense, which they check for anyway, and writers stop at their next heartbeat.
//
// Installs a handler for SIGBUS with the first mapping; what concerns no guarded mapping goes to
// the handler that was there before.
#pragma once

#include <cstddef>

namespace mayfly::shm {

/// Guards one mapping for as long as it lives. Movable. Any thread.
class BusGuard {
 public:
  BusGuard() = default;
  /// Beyond 256 mappings in one process a further one is not guarded.
  BusGuard(const void* begin, std::size_t bytes);
  BusGuard(BusGuard&& other) noexcept;
  BusGuard& operator=(BusGuard&& other) noexcept;
  ~BusGuard();

  /// True once a part of the file was missed.
  bool torn() const;

 private:
  int place_ = -1;
};

}  // namespace mayfly::shm
