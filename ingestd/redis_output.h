// Replies that wait to be sent to a Redis client, in its protocol's words. Held against the
// ceiling for connection buffers; what does not fit fails for good, and the connection with it.
#pragma once

#include <cstdint>
#include <string_view>

#include "ingestd/buffer.h"

namespace mayfly::ingestd {

/// Not thread-safe.
class RedisOutput {
 public:
  /// From here on nothing more is read from the client until it has taken some of it.
  static constexpr std::size_t kFullBytes = 64 << 10;
  /// More than this cannot be in one go (a transaction of many large replies): failed().
  static constexpr std::size_t kMaxBytes = 8 << 20;

  explicit RedisOutput(BufferAccount& account) : buffer_(account) {}

  void raw(std::string_view bytes);
  void simple(std::string_view text);  // +text
  void error(std::string_view text);   // -text
  void integer(std::uint64_t number);
  void bulk(std::string_view text);
  void null();
  void array(std::size_t count);
  void map(std::size_t pairs);  // RESP3

  bool failed() const { return failed_; }
  bool full() const { return waiting() >= kFullBytes; }
  std::size_t waiting() const { return buffer_.size() - sent_; }
  /// Where the next reply will begin, and back to there: for replies that nobody wants.
  std::size_t mark() const { return buffer_.size(); }
  void rewind(std::size_t mark);

  std::string_view pending() { return buffer_.view().substr(sent_); }
  void sent(std::size_t bytes);

 private:
  void number_line(char type, std::uint64_t number);

  Buffer buffer_;
  std::size_t sent_ = 0;
  bool failed_ = false;
};

}  // namespace mayfly::ingestd
