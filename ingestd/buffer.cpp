#include "ingestd/buffer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace mayfly::ingestd {
namespace {

std::size_t accounted(std::size_t capacity) { return capacity > Buffer::kFreeBytes ? capacity : 0; }

std::size_t rounded(std::size_t capacity) {
  constexpr std::size_t kStep = 512;
  return (capacity + kStep - 1) / kStep * kStep;
}

}  // namespace

bool Buffer::resize_to(std::size_t capacity) {
  const std::size_t before = accounted(capacity_);
  const std::size_t after = accounted(capacity);
  if (after > before && !account_.take(after - before)) return false;
  void* moved = std::realloc(data_, capacity);
  if (moved == nullptr) {
    if (after > before) account_.give_back(after - before);
    return false;
  }
  if (after < before) account_.give_back(before - after);
  data_ = static_cast<char*>(moved);
  capacity_ = capacity;
  return true;
}

bool Buffer::reserve(std::size_t capacity) { return capacity <= capacity_ || resize_to(rounded(capacity)); }

bool Buffer::assign(const char* bytes, std::size_t count) {
  if (!reserve(count)) return false;
  if (count > 0) std::memcpy(data_, bytes, count);
  size_ = count;
  return true;
}

void Buffer::shrink() {
  const std::size_t wanted = rounded(std::max(size_, kFreeBytes));
  if (wanted < capacity_) resize_to(wanted);
}

void Buffer::release() {
  if (data_ == nullptr) return;
  std::free(data_);
  account_.give_back(accounted(capacity_));
  data_ = nullptr;
  size_ = 0;
  capacity_ = 0;
}

}  // namespace mayfly::ingestd
