// Memory for what connections have sent but not completed: grown on demand, given back, and held
// against one ceiling for all connections.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mayfly::ingestd {

/// The ceiling. Thread-safe.
class BufferAccount {
 public:
  explicit BufferAccount(std::uint64_t limit) : limit_(limit) {}
  bool take(std::size_t bytes) {
    if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= limit_) return true;
    give_back(bytes);
    return false;
  }
  void give_back(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  const std::uint64_t limit_;
  std::atomic<std::uint64_t> used_{0};
};

/// Bytes on the heap. Not thread-safe. The account must outlive it.
class Buffer {
 public:
  /// So small that every connection may have it: not held against the account.
  static constexpr std::size_t kFreeBytes = 512;

  explicit Buffer(BufferAccount& account) : account_(account) {}
  ~Buffer() { release(); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  char* data() { return data_; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  std::string_view view() const { return {data_, size_}; }
  /// At most capacity().
  void set_size(std::size_t size) { size_ = size; }
  /// Makes room for so many bytes in all, keeping the content. False when the ceiling (or the
  /// machine) forbids it: nothing has changed then.
  bool reserve(std::size_t capacity);
  /// Replaces the content. False as reserve().
  bool assign(const char* bytes, std::size_t count);
  /// Lowers the capacity to about what is used.
  void shrink();
  void release();

 private:
  bool resize_to(std::size_t capacity);

  BufferAccount& account_;
  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace mayfly::ingestd
