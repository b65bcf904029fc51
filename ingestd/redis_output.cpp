#include "ingestd/redis_output.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace mayfly::ingestd {

void RedisOutput::raw(std::string_view bytes) {
  const std::size_t needed = buffer_.size() + bytes.size();
  if (needed > buffer_.capacity() && !failed_) {
    failed_ = needed > kMaxBytes || !buffer_.reserve(std::max(needed, 2 * buffer_.capacity()));
  }
  if (failed_ || bytes.empty()) return;
  std::memcpy(buffer_.data() + buffer_.size(), bytes.data(), bytes.size());
  buffer_.set_size(needed);
}

void RedisOutput::simple(std::string_view text) {
  raw("+");
  raw(text);
  raw("\r\n");
}

void RedisOutput::error(std::string_view text) {
  raw("-");
  raw(text);
  raw("\r\n");
}

void RedisOutput::number_line(char type, std::uint64_t number) {
  char line[24];
  line[0] = type;
  char* end = std::to_chars(line + 1, line + sizeof(line) - 2, number).ptr;
  *end++ = '\r';
  *end++ = '\n';
  raw({line, static_cast<std::size_t>(end - line)});
}

void RedisOutput::integer(std::uint64_t number) { number_line(':', number); }

void RedisOutput::bulk(std::string_view text) {
  number_line('$', text.size());
  raw(text);
  raw("\r\n");
}

void RedisOutput::null() { raw("$-1\r\n"); }
void RedisOutput::array(std::size_t count) { number_line('*', count); }
void RedisOutput::map(std::size_t pairs) { number_line('%', pairs); }

void RedisOutput::rewind(std::size_t mark) {
  if (mark < buffer_.size()) buffer_.set_size(std::max(mark, sent_));
}

void RedisOutput::sent(std::size_t bytes) {
  sent_ += bytes;
  if (sent_ < buffer_.size()) return;
  sent_ = 0;
  buffer_.set_size(0);
  if (buffer_.capacity() > Buffer::kFreeBytes) buffer_.release();
}

}  // namespace mayfly::ingestd
