#include "shm/page_pool.h"

namespace mayfly::shm {

PagePool::PagePool(std::uint32_t pages, std::uint32_t quarantine) : quarantine_(quarantine), queue_(pages) {
  cold_.reserve(pages);
}

void PagePool::adopt_free(const std::vector<std::uint32_t>& pages) {
  const std::lock_guard lock(mutex_);
  cold_.insert(cold_.end(), pages.begin(), pages.end());
  count_available();
}

bool PagePool::take(std::uint32_t n, std::vector<std::uint32_t>& out) {
  const std::lock_guard lock(mutex_);
  if (available() < n) return false;
  for (; n > 0; --n) {
    if (queue_size_ > quarantine_) {  // the one that waited longest, still warm
      out.push_back(queue_[queue_head_]);
      queue_head_ = (queue_head_ + 1) % queue_.size();
      --queue_size_;
    } else {
      out.push_back(cold_.back());
      cold_.pop_back();
    }
  }
  count_available();
  return true;
}

void PagePool::retire(std::vector<std::uint32_t>& pages) {
  if (pages.empty()) return;
  const std::lock_guard lock(mutex_);
  for (const std::uint32_t page : pages) {
    queue_[(queue_head_ + queue_size_) % queue_.size()] = page;
    ++queue_size_;
  }
  pages.clear();
  count_available();
}

void PagePool::give_back(std::vector<std::uint32_t>& pages) {
  if (pages.empty()) return;
  const std::lock_guard lock(mutex_);
  cold_.insert(cold_.end(), pages.begin(), pages.end());
  pages.clear();
  count_available();
}

std::uint64_t PagePool::free_pages() const {
  const std::lock_guard lock(mutex_);
  return cold_.size() + queue_size_;
}

void PagePool::count_available() {
  // The quarantine is part of the memory cap, whether it is filled yet or not.
  const std::size_t all = cold_.size() + queue_size_;
  available_.store(all > quarantine_ ? all - quarantine_ : 0, std::memory_order_relaxed);
}

}  // namespace mayfly::shm
