// Bytes on their way out and in: escapes yield text without control bytes, codings come back.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/name_pattern.h"
#include "common/text.h"
#include "common/units.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_control(char byte) { return static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mayfly;  // NOLINT(google-build-using-namespace): a program of one function
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  require(is_utf8(escape_invalid_utf8(bytes)));
  const std::string shown = escape_control(bytes);
  require(is_utf8(shown) && std::none_of(shown.begin(), shown.end(), is_control));
  require(base64_decode(base64_encode(bytes)) == bytes);
  require(percent_decode(percent_encode(bytes)) == bytes);
  static_cast<void>(percent_decode(bytes));
  static_cast<void>(base64_decode(bytes));
  if (const auto time = parse_time(bytes)) require(parse_time(format_time(*time)) == time);
  if (const auto length = parse_size(bytes); length.ok())
    require(parse_size(format_size(length.value())).value() == length.value());
  if (const auto age = parse_age(bytes); age.ok())
    require(parse_age(format_age(age.value())).value() == age.value());
  const std::string_view pattern = bytes.substr(0, size / 2);
  require(name_matches("*", bytes));
  static_cast<void>(name_matches(pattern, bytes.substr(size / 2)));
  if (pattern.find('*') == std::string_view::npos) require(name_matches(pattern, pattern));
  return 0;
}
