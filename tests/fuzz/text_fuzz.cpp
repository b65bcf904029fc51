// Bytes on their way out and in: escapes yield text without control bytes, codings come back.
#include <algorithm>

#include "common/name_pattern.h"
#include "common/text.h"
#include "common/units.h"
#include "tests/fuzz/target.h"

namespace mayfly::fuzz::text {

bool is_control(char byte) { return static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f; }

void run(std::string_view bytes) {
  require(is_utf8(escape_invalid_utf8(bytes)), "escaped text is UTF-8");
  const std::string shown = escape_control(bytes);
  require(is_utf8(shown) && std::none_of(shown.begin(), shown.end(), is_control),
          "shown text has no control bytes");
  require(base64_decode(base64_encode(bytes)) == bytes, "base64 comes back");
  require(percent_decode(percent_encode(bytes)) == bytes, "percent codes come back");
  static_cast<void>(percent_decode(bytes));
  static_cast<void>(base64_decode(bytes));
  if (const auto time = parse_time(bytes))
    require(parse_time(format_time(*time)) == time, "a time comes back");
  if (const auto length = parse_size(bytes); length.ok())
    require(parse_size(format_size(length.value())).value() == length.value(), "a size comes back");
  if (const auto age = parse_age(bytes); age.ok())
    require(parse_age(format_age(age.value())).value() == age.value(), "an age comes back");
  const std::string_view pattern = bytes.substr(0, bytes.size() / 2);
  require(name_matches("*", bytes), "* matches anything");
  static_cast<void>(name_matches(pattern, bytes.substr(bytes.size() / 2)));
  if (pattern.find('*') == std::string_view::npos)
    require(name_matches(pattern, pattern), "a name matches itself");
}

}  // namespace mayfly::fuzz::text

MAYFLY_FUZZ_TARGET(text, mayfly::fuzz::text::run)
