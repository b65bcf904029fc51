// Checks passwords on libuv's threads, since each check takes a core for some 50 ms.
#pragma once

#include <uv.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace mayfly::hubd {

/// Belongs to the loop's thread; the loop runs until its work is done after the destruction.
class PasswordPool {
 public:
  /// Only so many threads at once, so that others have theirs; each takes some 16 MiB.
  static constexpr std::size_t kMaxRunning = 2;
  static constexpr std::size_t kMaxWaiting = 32;

  using Done = std::function<void(bool matches)>;

  explicit PasswordPool(uv_loop_t* loop);
  ~PasswordPool();
  PasswordPool(const PasswordPool&) = delete;
  PasswordPool& operator=(const PasswordPool&) = delete;

  /// Whether `password` is the one of `hash`: `done` says it, from the loop, unless the pool is gone
  /// before. False: too many wait, `done` is never called.
  bool check(std::string password, std::string hash, Done done);

 private:
  struct Queue;
  std::shared_ptr<Queue> queue_;
};

}  // namespace mayfly::hubd
