#include "hubd/location_filter.h"

#include <algorithm>
#include <cctype>
#include <cstddef>

namespace mayfly::hubd {
namespace {

constexpr std::size_t kMaxLocationBytes = 8192;

/// "." or "..", also with its dots percent-encoded, as browsers read them. 0: another segment.
int dots(std::string_view segment) {
  int count = 0;
  while (!segment.empty()) {
    if (segment.front() == '.') {
      segment.remove_prefix(1);
    } else if (segment.size() >= 3 && segment[0] == '%' && segment[1] == '2' &&
               (segment[2] == 'e' || segment[2] == 'E')) {
      segment.remove_prefix(3);
    } else {
      return 0;
    }
    ++count;
  }
  return count <= 2 ? count : 0;
}

/// How many folders below the start `path` leads, begun at `depth`; -1: above it on the way. What
/// follows the last slash is no folder.
int walk(std::string_view path, int depth, bool may_climb) {
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    const int points = dots(segment);
    if (points == 2 && --depth < 0) {
      if (!may_climb) return -1;
      depth = 0;
    }
    if (slash == std::string_view::npos) return depth;
    if (points == 0) ++depth;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

bool location_stays(std::string_view location, std::string_view path, std::string_view prefix) {
  if (location.empty() || location.size() > kMaxLocationBytes) return false;
  // Browsers drop tabs and line ends wherever they are, and read a backslash as a slash.
  const auto dubious = [](char c) { return c <= 0x20 || c >= 0x7f || c == '\\'; };
  if (std::any_of(location.begin(), location.end(), dubious)) return false;
  const std::string_view target = location.substr(0, location.find_first_of("?#"));
  if (target.starts_with("//")) return false;
  if (target.starts_with("/")) {
    if (prefix.empty() || !target.starts_with(prefix)) return false;
    std::string_view rest = target.substr(prefix.size());
    if (!rest.starts_with("/")) return false;
    rest.remove_prefix(1);
    return walk(rest, 0, false) >= 0;
  }
  if (target.substr(0, target.find('/')).find(':') != std::string_view::npos) return false;
  if (path.starts_with("/")) path.remove_prefix(1);
  return walk(target, walk(path, 0, true), false) >= 0;
}

}  // namespace mayfly::hubd
