// What an ingest listener sends back, cut into replies. Simple strings, errors, integers, bulk
// strings and flat arrays of these: all that the native listener uses.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mayfly::cli {

struct Reply {
  char type = 0;                   // one of + - : $ *
  std::string text;                // of + - : $
  std::vector<std::string> items;  // of *
};

/// Fed with bytes as they come. Not thread-safe.
class ReplyParser {
 public:
  void feed(std::string_view bytes) { buffer_ += bytes; }
  /// The next whole reply; nothing until more is fed, and for ever once failed().
  std::optional<Reply> next();
  /// What came was no reply.
  bool failed() const { return failed_; }

 private:
  bool read_one(std::size_t& place, Reply& reply);
  std::optional<std::string_view> read_line(std::size_t& place);
  std::string buffer_;
  bool failed_ = false;
};

}  // namespace mayfly::cli
