#include "common/units.h"

#include <algorithm>
#include <limits>
#include <span>

namespace mayfly {
namespace {

using shm::Errc;
using shm::Error;
using shm::Result;

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first: the printing functions take the first that divides.
constexpr Unit kSizes[] = {{"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}};
constexpr Unit kAges[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

Error refuse(std::string_view text, const std::string& why) {
  std::string shown(text.substr(0, 40));
  if (text.size() > 40) shown += "...";
  return {Errc::invalid, "`" + shown + "` " + why};
}

/// What is wrong with a text that does not begin with a plain decimal number, in words.
Error not_a_number(std::string_view text, const std::string& wanted) {
  if (text.empty()) return {Errc::invalid, "an empty text where " + wanted + " is needed"};
  if (text[0] == '-') return refuse(text, "is negative; " + wanted + " is needed");
  if (text == "unlimited")
    return refuse(text, "is not known: every quota is a number; the largest is 2^64-1");
  return refuse(text, "is not " + wanted);
}

Result<std::uint64_t> parse(std::string_view text, std::span<const Unit> units, const std::string& wanted) {
  const auto end_of_digits = std::find_if_not(text.begin(), text.end(), is_digit);
  const std::string_view digits = text.substr(0, static_cast<std::size_t>(end_of_digits - text.begin()));
  const std::string_view suffix = text.substr(digits.size());
  if (digits.empty()) return not_a_number(text, wanted);
  if (digits.size() > 1 && digits[0] == '0') {
    return refuse(text, "has a leading zero, which could mean an octal number; write it without");
  }
  std::uint64_t factor = 1;
  if (!suffix.empty()) {
    const auto unit =
        std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == suffix; });
    if (unit == units.end()) return refuse(text, "is not " + wanted);
    factor = unit->factor;
  }
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t value = 0;
  for (const char c : digits) {
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (kMax - digit) / 10) return refuse(text, "is beyond 64 bits");
    value = value * 10 + digit;
  }
  if (value > kMax / factor) return refuse(text, "is beyond 64 bits");
  return value * factor;
}

std::string format(std::uint64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) {
      return std::to_string(value / unit.factor) + std::string(unit.name);
    }
  }
  return std::to_string(value);
}

}  // namespace

Result<std::uint64_t> parse_integer(std::string_view text) { return parse(text, {}, "a whole number"); }

Result<std::uint64_t> parse_size(std::string_view text) {
  return parse(text, kSizes, "a size (bytes, or a whole number of KiB, MiB, GiB)");
}

Result<std::uint64_t> parse_age(std::string_view text) {
  return parse(text, kAges, "an age (a whole number of s, m, h, d)");
}

std::string format_size(std::uint64_t bytes) { return format(bytes, kSizes); }

std::string format_age(std::uint64_t seconds) { return seconds == 0 ? "0s" : format(seconds, kAges); }

std::string format_size_rounded(std::uint64_t bytes) {
  for (const Unit& unit : kSizes) {
    if (bytes < unit.factor) continue;
    std::uint64_t whole = bytes / unit.factor;
    std::uint64_t tenths = (bytes % unit.factor * 10 + unit.factor / 2) / unit.factor;
    if (tenths == 10) {
      ++whole;
      tenths = 0;
    }
    return std::to_string(whole) + "." + std::to_string(tenths) + " " + std::string(unit.name);
  }
  return std::to_string(bytes) + " B";
}

}  // namespace mayfly
