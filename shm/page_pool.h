// The free pages. Process-local: rebuilt at attach from the page words, which are the truth.
//
// Retired pages wait in a short queue before they are reused, so that readers of the state that
// still showed them mostly finish in time; the queue also keeps the hot set small. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace mayfly::shm {

class PagePool {
 public:
  /// `pages` is the capacity; `quarantine` retired pages stay out of use.
  PagePool(std::uint32_t pages, std::uint32_t quarantine);

  /// At attach: the pages that are free; the last one is handed out first.
  void adopt_free(const std::vector<std::uint32_t>& pages);
  /// Appends n pages to `out`, or takes none.
  bool take(std::uint32_t n, std::vector<std::uint32_t>& out);
  /// Pages whose contents readers may still look at.
  void retire(std::vector<std::uint32_t>& pages);
  /// Pages that were taken and not used.
  void give_back(std::vector<std::uint32_t>& pages);
  /// Pages that take() could hand out now.
  std::uint64_t available() const { return available_.load(std::memory_order_relaxed); }
  /// All free pages, the waiting ones too.
  std::uint64_t free_pages() const;
  std::uint32_t quarantine() const { return quarantine_; }

 private:
  void count_available();

  mutable std::mutex mutex_;
  std::uint32_t quarantine_;
  std::vector<std::uint32_t> cold_;   // never used in this process's life, or given back
  std::vector<std::uint32_t> queue_;  // a ring of retired pages
  std::size_t queue_head_ = 0;
  std::size_t queue_size_ = 0;
  std::atomic<std::uint64_t> available_{0};
};

}  // namespace mayfly::shm
