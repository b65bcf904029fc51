#include "common/resp_parser.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace mayfly {
namespace {

// The longest legal count or length: a sign and 19 digits.
constexpr std::size_t kMaxNumberBytes = 20;

std::string shown(char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x20 && byte < 0x7f) return std::string(1, c);
  return std::string("\\x") + kHex[byte >> 4] + kHex[byte & 15];
}

constexpr std::uint64_t kCrLf = 0x0a0d;

// The start of a bulk string, `$<1 to 3 digits>CRLF`, as the eight bytes it begins with.
struct BulkHead {
  std::uint64_t bytes;   // of the head itself; 0: none of that form
  std::uint64_t length;  // of the string
};

// Written out for the usual one to three digits, since branches that always go the same way cost
// less than a loop.
[[gnu::always_inline]] inline BulkHead read_bulk_head(std::uint64_t word) {
  const auto byte = [word](int i) { return (word >> (8 * i)) & 0xff; };
  const auto crlf_at = [word](int i) { return ((word >> (8 * i)) & 0xffff) == kCrLf; };
  std::uint64_t length = byte(1) - '0';
  if (byte(0) != '$' || length > 9) return {0, 0};
  if (crlf_at(2)) return {4, length};
  const std::uint64_t second = byte(2) - '0';
  if (second > 9) return {0, 0};
  length = length * 10 + second;
  if (crlf_at(3)) return {5, length};
  const std::uint64_t third = byte(3) - '0';
  if (third > 9) return {0, 0};
  length = length * 10 + third;
  if (crlf_at(4)) return {6, length};
  return {0, 0};  // longer ones are read step by step: there the copy costs more than the length
}

[[gnu::always_inline]] inline bool is_crlf(const char* at) {
  std::uint16_t pair;
  std::memcpy(&pair, at, sizeof pair);
  return pair == kCrLf;
}

// The first eight bytes of `text`, which lies in a buffer that ends at `end`.
[[gnu::always_inline]] inline std::uint64_t load_prefix(std::string_view text, const char* end) {
  std::uint64_t prefix = 0;
  if (end - text.data() >= 8) [[likely]] {
    std::memcpy(&prefix, text.data(), 8);
    if (text.size() < 8) prefix &= (std::uint64_t{1} << (8 * text.size())) - 1;
  } else {
    std::memcpy(&prefix, text.data(), text.size());  // shorter than what is left
  }
  return prefix;
}

}  // namespace

RespEvent RespParser::next_step(std::string_view data) {
  while (true) {
    bool again = false;
    const RespEvent event = step(data, again);
    if (!again) return event;
  }
}

// A command that lies in the buffer as a whole, of the usual form: no step of the machine below is
// remembered between its bytes. False, and nothing has changed, when it is any other, or wrong.
bool RespParser::take_whole_command(std::string_view data) {
  const char* const begin = data.data();
  const char* const end = begin + data.size();
  const char* at = begin + position_;
  if (end - at < 4 || at[0] != '*' || !is_crlf(at + 2)) return false;
  const std::size_t count = static_cast<unsigned char>(at[1]) - std::size_t{'0'};
  if (count - 1 >= whole_arguments_) return false;
  const std::uint64_t too_long = whole_bytes_;
  at += 4;
  RespArgument* out = whole_.data();
  for (RespArgument* const last = out + count; out != last; ++out) {
    if (end - at < 8) return false;
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    const BulkHead head = read_bulk_head(word);
    if (head.bytes == 0 || head.length >= too_long) return false;
    at += head.bytes;
    out->offset = static_cast<std::uint32_t>(at - begin);
    out->length = static_cast<std::uint32_t>(head.length);
    at += head.length;
    if (end - at < 2 || !is_crlf(at)) return false;
    at += 2;
  }
  name_prefix_ = load_prefix({begin + whole_[0].offset, whole_[0].length}, end);
  position_ = static_cast<std::size_t>(at - begin);
  whole_count_ = expected_ = count;
  done_ = true;
  return true;
}

// One step. Sets `again` where there is nothing to report yet.
RespEvent RespParser::step(std::string_view data, bool& again) {
  switch (phase_) {
    case Phase::start:
      return begin_command(data, again);
    case Phase::count:
      return read_count(data, again);
    case Phase::bulk_start:
      return read_bulk_start(data, again);
    case Phase::bulk_length:
      return read_bulk_length(data, again);
    case Phase::bulk_body:
      return read_bulk_body(data, again);
    case Phase::bulk_skip:
      return skip_bulk_body(data, again);
    case Phase::bulk_end:
      return read_bulk_end(data, again);
    case Phase::skip_line:
      return pass_long_line(data);
    case Phase::failed:
      return RespEvent::protocol_error;
  }
  return RespEvent::protocol_error;
}

RespEvent RespParser::begin_command(std::string_view data, bool& again) {
  if (position_ == data.size()) return RespEvent::need_more;
  if (data[position_] == '*') {
    ++position_;
    phase_ = Phase::count;
    again = true;
    return RespEvent::need_more;
  }
  const RespEvent event = read_line(data);
  again = event == RespEvent::line && line_length_ == 0;  // an empty line says nothing
  if (again) done_ = false;
  return event;
}

RespEvent RespParser::read_line(std::string_view data) {
  const std::size_t end = data.find('\n', position_ + line_scanned_);
  if (end == std::string_view::npos) {
    line_scanned_ = data.size() - position_;
    // One byte more than the limit may still be the CR of a legal line.
    if (line_scanned_ <= limits_.max_line_bytes + 1) return RespEvent::need_more;
    phase_ = Phase::skip_line;
    skip_left_ = 0;
    line_scanned_ = 0;
    return pass_long_line(data);
  }
  line_begin_ = position_;
  line_length_ = end - position_;
  if (line_length_ > limits_.max_line_scan_bytes + 1) return fail("Protocol error: too big inline request");
  if (line_length_ > 0 && data[end - 1] == '\r') --line_length_;
  position_ = end + 1;
  line_scanned_ = 0;
  done_ = true;
  return line_length_ > limits_.max_line_bytes ? RespEvent::long_line : RespEvent::line;
}

RespEvent RespParser::pass_long_line(std::string_view data) {
  const std::size_t end = data.find('\n', position_);
  const std::size_t stop = end == std::string_view::npos ? data.size() : end;
  skip_left_ += stop - position_;  // counts what was passed, here
  position_ = stop;
  if (skip_left_ > limits_.max_line_scan_bytes + 1) return fail("Protocol error: too big inline request");
  if (end == std::string_view::npos) return RespEvent::need_more;
  ++position_;
  skip_left_ = 0;
  phase_ = Phase::start;
  done_ = true;
  return RespEvent::long_line;
}

RespParser::Number RespParser::read_number(std::string_view data, std::int64_t& value) {
  std::size_t at = position_;
  const bool negative = at < data.size() && data[at] == '-';
  if (negative) ++at;
  const std::size_t digits_begin = at;
  std::int64_t number = 0;
  for (; at < data.size() && data[at] != '\r'; ++at) {
    const char c = data[at];
    if (c < '0' || c > '9' || at - position_ >= kMaxNumberBytes) return Number::bad;
    if (number > (INT64_MAX - 9) / 10) return Number::bad;
    number = number * 10 + (c - '0');
  }
  if (at + 1 >= data.size()) return Number::incomplete;
  if (at == digits_begin || data[at + 1] != '\n') return Number::bad;
  value = negative ? -number : number;
  position_ = at + 2;
  return Number::ok;
}

RespEvent RespParser::read_count(std::string_view data, bool& again) {
  std::int64_t count = 0;
  const Number result = read_number(data, count);
  if (result == Number::incomplete) return RespEvent::need_more;
  if (result == Number::bad || count > static_cast<std::int64_t>(limits_.max_arguments)) {
    return fail("Protocol error: invalid multibulk length");
  }
  again = true;
  expected_ = count > 0 ? static_cast<std::size_t>(count) : 0;
  phase_ = expected_ > 0 ? Phase::bulk_start : Phase::start;
  return RespEvent::need_more;
}

RespEvent RespParser::read_bulk_start(std::string_view data, bool& again) {
  if (position_ == data.size()) return RespEvent::need_more;
  if (data[position_] != '$')
    return fail("Protocol error: expected '$', got '" + shown(data[position_]) + "'");
  ++position_;
  phase_ = Phase::bulk_length;
  again = true;
  return RespEvent::need_more;
}

RespEvent RespParser::read_bulk_length(std::string_view data, bool& again) {
  std::int64_t length = 0;
  const Number result = read_number(data, length);
  if (result == Number::incomplete) return RespEvent::need_more;
  if (result == Number::bad || length < 0 || static_cast<std::uint64_t>(length) > limits_.max_bulk_bytes) {
    return fail("Protocol error: invalid bulk length");
  }
  bulk_length_ = static_cast<std::uint64_t>(length);
  phase_ = Phase::bulk_body;
  if (bulk_length_ >= limits_.big_argument_bytes) return RespEvent::big_argument;
  again = true;
  return RespEvent::need_more;
}

RespEvent RespParser::read_bulk_body(std::string_view data, bool& again) {
  if (data.size() - position_ < bulk_length_) return RespEvent::need_more;
  arguments_.push_back({static_cast<std::uint32_t>(position_), static_cast<std::uint32_t>(bulk_length_)});
  position_ += bulk_length_;
  phase_ = Phase::bulk_end;
  again = true;
  return RespEvent::need_more;
}

void RespParser::skip_argument() {
  assert(phase_ == Phase::bulk_body);
  phase_ = Phase::bulk_skip;
  skip_left_ = bulk_length_;
}

RespEvent RespParser::skip_bulk_body(std::string_view data, bool& again) {
  const std::size_t passed = std::min<std::uint64_t>(skip_left_, data.size() - position_);
  position_ += passed;
  skip_left_ -= passed;
  if (skip_left_ > 0) return RespEvent::need_more;
  arguments_.push_back({RespArgument::kSkipped, static_cast<std::uint32_t>(bulk_length_)});
  phase_ = Phase::bulk_end;
  again = true;
  return RespEvent::need_more;
}

RespEvent RespParser::read_bulk_end(std::string_view data, bool& again) {
  if (data.size() - position_ < 2) return RespEvent::need_more;
  if (data[position_] != '\r' || data[position_ + 1] != '\n') {
    return fail("Protocol error: expected CRLF after a bulk string");
  }
  position_ += 2;
  return finish_argument(again);
}

RespEvent RespParser::finish_argument(bool& again) {
  if (arguments_.size() < expected_) {
    phase_ = Phase::bulk_start;
    again = true;
    return RespEvent::need_more;
  }
  phase_ = Phase::start;
  done_ = true;
  return RespEvent::array;
}

RespEvent RespParser::fail(std::string text) {
  error_ = std::move(text);
  phase_ = Phase::failed;
  return RespEvent::protocol_error;
}

std::size_t RespParser::compact(char* data, std::size_t size) {
  if (done_) forget_command();
  // Those of earlier calls are where they shall be: an array of a million, sent byte by byte, would
  // otherwise be walked over at every byte.
  std::size_t kept = compacted_bytes_;
  for (; compacted_ < arguments_.size(); ++compacted_) {
    RespArgument& argument = arguments_[compacted_];
    if (argument.offset == RespArgument::kSkipped) continue;
    if (argument.offset != kept) std::memmove(data + kept, data + argument.offset, argument.length);
    argument.offset = static_cast<std::uint32_t>(kept);
    kept += argument.length;
  }
  compacted_bytes_ = kept;
  const std::size_t rest = size - position_;
  if (rest > 0 && position_ != kept) std::memmove(data + kept, data + position_, rest);
  position_ = kept;
  return kept + rest;
}

std::uint64_t RespParser::missing_bytes(std::size_t available) const {
  std::uint64_t needed = 0;
  if (phase_ == Phase::bulk_body) {
    needed = position_ + bulk_length_ + 2;
  } else if (phase_ == Phase::bulk_end) {
    needed = position_ + 2;
  }
  return needed > available ? needed - available : 0;
}

void RespParser::shrink() {
  if (arguments_.empty()) arguments_.shrink_to_fit();
}

}  // namespace mayfly
