#include "relayd/stream_cursor.h"

#include <charconv>
#include <limits>

namespace mayfly::relayd {
namespace {

constexpr std::string_view kForm = "m1-";  // of this form of cursors

void append_hex(std::string& out, std::uint64_t value) {
  char buffer[16];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), value, 16);
  (void)error;  // 16 digits hold every value
  out.append(buffer, end);
}

/// Takes one number and, unless it is the last, the '-' after it.
bool take_hex(std::string_view& text, std::uint64_t& value) {
  const std::size_t size = text.substr(0, text.find('-')).size();
  const auto [end, error] = std::from_chars(text.data(), text.data() + size, value, 16);
  if (size == 0 || error != std::errc() || end != text.data() + size) return false;
  text.remove_prefix(size);
  if (text.size() > 1) text.remove_prefix(1);
  return true;
}

}  // namespace

std::string format_cursor(const StreamCursor& cursor) {
  std::string out(kForm);
  append_hex(out, cursor.instance);
  out += '-';
  append_hex(out, cursor.incarnation);
  out += '-';
  append_hex(out, cursor.next_seq);
  if (cursor.next_ordinal) {
    out += '-';
    append_hex(out, *cursor.next_ordinal);
  }
  return out;
}

std::optional<StreamCursor> parse_cursor(std::string_view text) {
  if (text.substr(0, kForm.size()) != kForm) return std::nullopt;
  text.remove_prefix(kForm.size());
  StreamCursor cursor;
  if (!take_hex(text, cursor.instance) || !take_hex(text, cursor.incarnation) ||
      !take_hex(text, cursor.next_seq)) {
    return std::nullopt;
  }
  if (text.empty()) return cursor;
  std::uint64_t ordinal = 0;
  if (!take_hex(text, ordinal) || !text.empty() || ordinal > std::numeric_limits<std::uint32_t>::max()) {
    return std::nullopt;
  }
  cursor.next_ordinal = static_cast<std::uint32_t>(ordinal);
  return cursor;
}

}  // namespace mayfly::relayd
