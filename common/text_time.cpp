// Times as text: the second half of text.h.
#include <charconv>
#include <chrono>
#include <limits>

#include "common/text.h"
#include "common/units.h"

namespace mayfly {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

/// Appends `value` with at least `width` digits.
void append_padded(std::string& out, std::uint64_t value, std::size_t width) {
  const std::string digits = std::to_string(value);
  if (digits.size() < width) out.append(width - digits.size(), '0');
  out += digits;
}

/// Takes exactly `count` digits off the front of `text`.
bool take_digits(std::string_view& text, std::size_t count, unsigned& value) {
  if (text.size() < count) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + count, value);
  if (error != std::errc() || end != text.data() + count) return false;
  text.remove_prefix(count);
  return true;
}

bool take_char(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text[0]) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

/// Takes ".25" off the front, in nanoseconds; further digits are cut. False: a '.' without digits.
bool take_fraction(std::string_view& text, std::uint64_t& ns) {
  ns = 0;
  if (!take_char(text, ".")) return true;
  std::uint64_t unit = kNsPerSecond / 10;
  bool any = false;
  while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    ns += unit * static_cast<unsigned>(text[0] - '0');
    unit /= 10;
    any = true;
    text.remove_prefix(1);
  }
  return any;
}

/// Takes "Z" or "+01:30" off the front, in seconds east of UTC.
bool take_offset(std::string_view& text, std::int64_t& seconds) {
  seconds = 0;
  if (take_char(text, "Zz")) return true;
  const bool west = !text.empty() && text[0] == '-';
  unsigned hours = 0;
  unsigned minutes = 0;
  if (!take_char(text, "+-") || !take_digits(text, 2, hours) || !take_char(text, ":") ||
      !take_digits(text, 2, minutes) || hours > 23 || minutes > 59) {
    return false;
  }
  seconds = static_cast<std::int64_t>(hours) * 3600 + static_cast<std::int64_t>(minutes) * 60;
  if (west) seconds = -seconds;
  return true;
}

/// Seconds and nanoseconds as one number, where it fits.
std::optional<std::uint64_t> join(std::uint64_t seconds, std::uint64_t ns) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  if (seconds > (kMax - ns) / kNsPerSecond) return std::nullopt;
  return seconds * kNsPerSecond + ns;
}

/// "1700000000" or "1700000000.25".
std::optional<std::uint64_t> parse_unix_seconds(std::string_view text) {
  const std::size_t dot = text.find('.');
  const auto seconds = parse_u64(text.substr(0, dot));
  if (!seconds) return std::nullopt;
  std::string_view rest = dot == std::string_view::npos ? std::string_view() : text.substr(dot);
  std::uint64_t ns = 0;
  if (!take_fraction(rest, ns) || !rest.empty()) return std::nullopt;
  return join(*seconds, ns);
}

}  // namespace

std::string format_time(std::uint64_t wall_ns) {
  using std::chrono::days;
  using std::chrono::sys_days;
  const std::uint64_t seconds = wall_ns / kNsPerSecond;
  const auto day_number = static_cast<int>(seconds / 86400);
  const std::chrono::year_month_day date{sys_days{days{day_number}}};
  const std::uint64_t of_day = seconds % 86400;
  std::string out;
  out.reserve(30);
  append_padded(out, static_cast<std::uint64_t>(static_cast<int>(date.year())), 4);
  out += '-';
  append_padded(out, static_cast<unsigned>(date.month()), 2);
  out += '-';
  append_padded(out, static_cast<unsigned>(date.day()), 2);
  out += 'T';
  append_padded(out, of_day / 3600, 2);
  out += ':';
  append_padded(out, of_day / 60 % 60, 2);
  out += ':';
  append_padded(out, of_day % 60, 2);
  out += '.';
  append_padded(out, wall_ns % kNsPerSecond, 9);
  out += 'Z';
  return out;
}

std::optional<std::uint64_t> parse_time(std::string_view text) {
  unsigned year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  std::uint64_t ns = 0;
  std::int64_t offset = 0;
  const bool shaped = take_digits(text, 4, year) && take_char(text, "-") && take_digits(text, 2, month) &&
                      take_char(text, "-") && take_digits(text, 2, day) && take_char(text, "Tt ") &&
                      take_digits(text, 2, hour) && take_char(text, ":") && take_digits(text, 2, minute) &&
                      take_char(text, ":") && take_digits(text, 2, second) && take_fraction(text, ns) &&
                      take_offset(text, offset) && text.empty();
  const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(year)}, std::chrono::month{month},
                                         std::chrono::day{day}};
  if (!shaped || !date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const std::int64_t day_number = std::chrono::sys_days{date}.time_since_epoch().count();
  const std::int64_t seconds = day_number * 86400 + static_cast<std::int64_t>(hour) * 3600 +
                               static_cast<std::int64_t>(minute) * 60 + second - offset;
  if (seconds < 0) return std::nullopt;
  return join(static_cast<std::uint64_t>(seconds), ns);
}

std::optional<std::uint64_t> parse_u64(std::string_view text) {
  std::uint64_t value = 0;
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

shm::Result<std::uint64_t> parse_point_in_time(std::string_view text, std::uint64_t now_ns) {
  if (const auto seconds = parse_unix_seconds(text)) return *seconds;
  if (const auto time = parse_time(text)) return *time;
  const auto age = parse_age(text);
  if (age.ok()) {
    const auto age_ns = join(age.value(), 0);
    return !age_ns || *age_ns > now_ns ? 0 : now_ns - *age_ns;
  }
  return shm::Error{shm::Errc::invalid, "\"" + escape_control(text.substr(0, 64)) +
                                            "\" is neither a time (2026-11-21T10:00:00Z), nor Unix seconds, "
                                            "nor an age (15m)"};
}

}  // namespace mayfly
