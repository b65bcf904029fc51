// Commands between MULTI and EXEC, kept as copies: [count][lengths][bytes] each, held against the
// ceiling for connection buffers.
#pragma once

#include <cstdint>
#include <vector>

#include "common/resp_parser.h"
#include "ingestd/buffer.h"

namespace mayfly::ingestd {

/// Not thread-safe.
class TransactionQueue {
 public:
  static constexpr std::size_t kMaxCommands = 128 << 10;

  explicit TransactionQueue(BufferAccount& account) : buffer_(account) {}

  /// False when there is no room: nothing was added.
  bool add(const RespArguments& arguments);
  std::size_t commands() const { return commands_; }
  /// The command at `position` (0: the first); moves `position` behind it. The views need `items`
  /// and live until clear().
  RespArguments read(std::size_t& position, std::vector<RespArgument>& items);
  void clear();

 private:
  void put(std::size_t at, std::uint32_t word);
  std::uint32_t word_at(std::size_t at);

  Buffer buffer_;
  std::size_t commands_ = 0;
};

}  // namespace mayfly::ingestd
