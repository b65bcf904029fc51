// Reads that are too long for the loop, on libuv's thread pool, each with a reader of its own.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "relayd/reading_counts.h"
#include "shm/reader.h"

namespace mayfly::relayd {

/// Belongs to the loop's thread. Jobs outlive the pool: the loop runs until they are through, but
/// nobody is told any more.
class ReadPool {
 public:
  /// On a pool thread. `reader` is null while there is no segment. It lives for this job only, so
  /// that no mapping keeps the memory of a segment that was replaced.
  using Work = std::function<void(shm::Reader* reader)>;
  /// On the loop, after the work.
  using Done = std::function<void()>;

  /// What is read is added to `counts`.
  ReadPool(uv_loop_t* loop, std::string path, const shm::Clocks& clocks, std::shared_ptr<ReadCounts> counts)
      : loop_(loop),
        path_(std::move(path)),
        clocks_(clocks),
        counts_(std::move(counts)),
        alive_(std::make_shared<bool>(true)) {}
  ~ReadPool() { *alive_ = false; }
  ReadPool(const ReadPool&) = delete;
  ReadPool& operator=(const ReadPool&) = delete;

  void run(Work work, Done done);

 private:
  struct Job;

  uv_loop_t* loop_;
  std::string path_;
  const shm::Clocks& clocks_;
  std::shared_ptr<ReadCounts> counts_;
  std::shared_ptr<bool> alive_;  // used by the loop's thread only
};

}  // namespace mayfly::relayd
