#include "ingestd/transaction_queue.h"

#include <algorithm>
#include <cstring>

namespace mayfly::ingestd {
namespace {

constexpr std::size_t kWord = sizeof(std::uint32_t);
constexpr std::uint32_t kSkippedBit = 1u << 31;   // no argument is that long
constexpr std::size_t kMaxQueueBytes = 1u << 30;  // offsets within it fit an argument

}  // namespace

void TransactionQueue::put(std::size_t at, std::uint32_t word) {
  std::memcpy(buffer_.data() + at, &word, kWord);
}

std::uint32_t TransactionQueue::word_at(std::size_t at) {
  std::uint32_t word = 0;
  std::memcpy(&word, buffer_.data() + at, kWord);
  return word;
}

bool TransactionQueue::add(const RespArguments& arguments) {
  std::size_t bytes = kWord * (1 + arguments.size());
  for (std::size_t i = 0; i < arguments.size(); ++i) bytes += arguments[i].size();
  const std::size_t needed = buffer_.size() + bytes;
  if (commands_ == kMaxCommands || needed > kMaxQueueBytes) return false;
  if (needed > buffer_.capacity() && !buffer_.reserve(std::max(needed, 2 * buffer_.capacity()))) return false;
  std::size_t at = buffer_.size();
  put(at, static_cast<std::uint32_t>(arguments.size()));
  at += kWord;
  for (std::size_t i = 0; i < arguments.size(); ++i, at += kWord) {
    put(at, static_cast<std::uint32_t>(arguments.bytes(i)) | (arguments.skipped(i) ? kSkippedBit : 0));
  }
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view text = arguments[i];
    if (!text.empty()) std::memcpy(buffer_.data() + at, text.data(), text.size());
    at += text.size();
  }
  buffer_.set_size(at);
  ++commands_;
  return true;
}

RespArguments TransactionQueue::read(std::size_t& position, std::vector<RespArgument>& items) {
  const std::size_t count = word_at(position);
  std::size_t at = position + kWord * (1 + count);
  items.clear();
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t word = word_at(position + kWord * (1 + i));
    const bool skipped = (word & kSkippedBit) != 0;
    const std::uint32_t length = word & ~kSkippedBit;
    items.push_back({skipped ? RespArgument::kSkipped : static_cast<std::uint32_t>(at), length});
    if (!skipped) at += length;
  }
  position = at;
  return {buffer_.data(), items};
}

void TransactionQueue::clear() {
  buffer_.release();
  commands_ = 0;
}

}  // namespace mayfly::ingestd
