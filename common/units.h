// Sizes and ages as people write them in configuration files and on command lines.
//
// Strict: decimal digits and at most one unit, nothing around them. Refused, with a text that says
// what is wrong: empty, a sign, a leading zero ("octal-looking"), hexadecimal, fractions and
// exponents, digit separators, blanks, unknown units, whatever exceeds 64 bits, `unlimited`.
// All functions are pure and thread-safe; errors are Errc::invalid and carry no place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "shm/result.h"

namespace mayfly {

/// A whole number, 0 to 2^64-1: "42".
shm::Result<std::uint64_t> parse_integer(std::string_view text);

/// Bytes: "4096", "64KiB", "16MiB", "2GiB".
shm::Result<std::uint64_t> parse_size(std::string_view text);

/// Seconds: "90s", "15m", "24h", "7d"; a plain number means seconds.
shm::Result<std::uint64_t> parse_age(std::string_view text);

/// The shortest exact form that parse_size() takes back: "64KiB", "1000".
std::string format_size(std::uint64_t bytes);

/// The shortest exact form that parse_age() takes back: "15m", "61s", "0s".
std::string format_age(std::uint64_t seconds);

/// For people, rounded to a tenth: "1.5 MiB", "999 B".
std::string format_size_rounded(std::uint64_t bytes);

}  // namespace mayfly
