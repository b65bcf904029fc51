// A parser for RESP2 arrays of bulk strings and for inline lines: bytes in, commands out, no I/O.
//
// It reads a caller's buffer in place. Arguments are handed out as views into that buffer, so
// nothing is copied on the way. It never goes back: each byte is looked at once, however the
// stream is cut. Between two buffers the caller keeps what compact() leaves and puts the next
// bytes behind it.
//
//   loop: data = kept bytes + new bytes
//     while ((event = parser.next(data)) is not need_more) handle it
//     kept = parser.compact(data)
//
// Memory: 8 bytes per argument of the command being read, and what the caller keeps. Not
// thread-safe; one parser per connection.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mayfly {

struct RespLimits {
  std::size_t max_arguments = 1024 * 1024;       // of an array; more: protocol error
  std::uint64_t max_bulk_bytes = 512ull << 20;   // more: protocol error
  std::size_t max_line_bytes = 64 << 10;         // of an inline line without its LF; more: long_line
  std::size_t max_line_scan_bytes = 1024 << 10;  // without an LF; more: protocol error
  std::size_t big_argument_bytes = 32 << 10;     // from here on the caller is asked first
};

enum class RespEvent {
  need_more,       // nothing complete any more
  array,           // arguments() holds a command
  line,            // line() holds an inline line, without LF or CRLF
  long_line,       // a line over max_line_bytes was skipped to its LF
  big_argument,    // a bulk string of big_bytes() begins: skip_argument(), or just call next()
  protocol_error,  // error() says why; the stream cannot be read any further
};

/// Where one argument lies in the caller's buffer.
struct RespArgument {
  static constexpr std::uint32_t kSkipped = UINT32_MAX;
  std::uint32_t offset = 0;  // kSkipped: passed over, not kept
  std::uint32_t length = 0;  // as sent, also of a skipped one
};

/// The arguments of one command, as views. Cheap to copy; valid as long as buffer and items are.
class RespArguments {
 public:
  RespArguments(const char* data, std::span<const RespArgument> items) : data_(data), items_(items) {}
  /// Of a command that was taken whole: none is skipped, and the name's first bytes are known.
  RespArguments(const char* data, std::span<const RespArgument> items, std::uint64_t name_prefix)
      : data_(data), items_(items), whole_(true), name_prefix_(name_prefix) {}
  std::size_t size() const { return items_.size(); }
  /// A skipped argument reads as empty.
  std::string_view operator[](std::size_t index) const {
    const RespArgument& item = items_[index];
    return item.offset == RespArgument::kSkipped ? std::string_view()
                                                 : std::string_view(data_ + item.offset, item.length);
  }
  bool skipped(std::size_t index) const { return items_[index].offset == RespArgument::kSkipped; }
  std::uint64_t bytes(std::size_t index) const { return items_[index].length; }
  /// True when no argument can be skipped: kept() may be used.
  bool whole() const { return whole_; }
  /// operator[] without a look at whether the argument was skipped.
  std::string_view kept(std::size_t index) const {
    return {data_ + items_[index].offset, items_[index].length};
  }
  /// When whole(): the first eight bytes of argument 0 as a little-endian number, zeros behind its end.
  std::uint64_t name_prefix() const { return name_prefix_; }

 private:
  const char* data_;
  std::span<const RespArgument> items_;
  bool whole_ = false;
  std::uint64_t name_prefix_ = 0;
};

class RespParser {
 public:
  explicit RespParser(const RespLimits& limits = {})
      : limits_(limits),
        whole_arguments_(std::min(limits.max_arguments, kWholeArguments)),
        whole_bytes_(std::min<std::uint64_t>(limits.big_argument_bytes, limits.max_bulk_bytes)) {}

  /// Reads on. `data` begins where compact() last said, and has only grown since. After array and
  /// line the views are valid as long as the buffer is; the next call begins the next command.
  RespEvent next(std::string_view data) {
    if (done_) forget_command();
    if (phase_ == Phase::start && take_whole_command(data)) return RespEvent::array;
    return next_step(data);
  }

  /// Arguments so far: after array all of them, after big_argument those before the big one.
  RespArguments arguments(std::string_view data) const {
    if (whole_count_ > 0) return {data.data(), {whole_.data(), whole_count_}, name_prefix_};
    return {data.data(), arguments_};
  }
  /// How many the array said it has.
  std::size_t expected_arguments() const { return expected_; }
  /// The line that was announced last, without its end.
  std::string_view line(std::string_view data) const { return data.substr(line_begin_, line_length_); }

  /// Length of the bulk string that the last big_argument announced, or that is being read.
  std::uint64_t big_bytes() const { return bulk_length_; }
  /// Leaves out the bulk string being read: its bytes are passed over, not kept.
  void skip_argument();
  /// True while a bulk string is being read (and kept) whose end has not arrived.
  bool inside_argument() const { return phase_ == Phase::bulk_body; }
  /// How far the command being read has got: 0 between two commands.
  bool inside_command() const { return phase_ != Phase::start || line_scanned_ != 0; }

  const std::string& error() const { return error_; }

  /// Moves what must be kept to the front of the buffer and returns how many bytes that is. Views
  /// handed out before are void. `data` is the same buffer that next() was last given.
  std::size_t compact(char* data, std::size_t size);
  /// Bytes that the bulk string being read still lacks, with its CRLF; 0 outside of one.
  std::uint64_t missing_bytes(std::size_t available) const;
  /// Heap memory held, for the connection's account.
  std::size_t heap_bytes() const { return arguments_.capacity() * sizeof(RespArgument); }
  /// Gives heap memory back, between two commands.
  void shrink();

 private:
  enum class Phase : std::uint8_t {
    start,
    count,
    bulk_start,
    bulk_length,
    bulk_body,
    bulk_skip,
    bulk_end,
    skip_line,
    failed
  };

  bool take_whole_command(std::string_view data);
  RespEvent next_step(std::string_view data);
  void forget_command() {
    done_ = false;
    whole_count_ = 0;
    arguments_.clear();
    compacted_ = 0;
    compacted_bytes_ = 0;
  }
  RespEvent step(std::string_view data, bool& again);
  RespEvent begin_command(std::string_view data, bool& again);
  RespEvent read_line(std::string_view data);
  RespEvent pass_long_line(std::string_view data);
  RespEvent read_count(std::string_view data, bool& again);
  RespEvent read_bulk_start(std::string_view data, bool& again);
  RespEvent read_bulk_length(std::string_view data, bool& again);
  RespEvent read_bulk_body(std::string_view data, bool& again);
  RespEvent skip_bulk_body(std::string_view data, bool& again);
  RespEvent read_bulk_end(std::string_view data, bool& again);
  RespEvent finish_argument(bool& again);
  enum class Number { incomplete, ok, bad };
  Number read_number(std::string_view data, std::int64_t& value);
  RespEvent fail(std::string text);

  // Commands of so many arguments are tried in one go first: nearly all there are.
  static constexpr std::size_t kWholeArguments = 8;

  RespLimits limits_;
  std::size_t whole_arguments_;
  std::uint64_t whole_bytes_;  // of an argument, less than so many
  Phase phase_ = Phase::start;
  bool done_ = false;         // the last event handed out a command
  std::size_t position_ = 0;  // in the buffer: the first byte not looked at, or the bulk's first
  std::size_t expected_ = 0;  // of the array
  std::uint64_t bulk_length_ = 0;
  std::uint64_t skip_left_ = 0;
  std::size_t line_scanned_ = 0;  // bytes of the line at position_ that hold no LF
  std::size_t line_begin_ = 0;
  std::size_t line_length_ = 0;
  std::vector<RespArgument> arguments_;
  std::size_t compacted_ = 0;        // so many of them have been moved to the front
  std::size_t compacted_bytes_ = 0;  // and what they take there
  std::array<RespArgument, kWholeArguments> whole_;  // of a command taken in one go
  std::size_t whole_count_ = 0;                      // 0: the last command was not
  std::uint64_t name_prefix_ = 0;                    // of that command
  std::string error_;
};

}  // namespace mayfly
