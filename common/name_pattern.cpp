#include "common/name_pattern.h"

#include <algorithm>

#include "shm/quotas.h"

namespace mayfly {

bool valid_name_pattern(std::string_view pattern) {
  const auto fits = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '*';
  };
  return !pattern.empty() && pattern.size() <= shm::kMaxNameBytes && pattern[0] != '.' && pattern[0] != '-' &&
         std::all_of(pattern.begin(), pattern.end(), fits);
}

bool name_matches(std::string_view pattern, std::string_view name) {
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t p = 0, n = 0;
  // Where to go on when a comparison fails: after the last `*`, one character further in the name.
  // An earlier `*` need never be tried again, since the last one takes any run as well.
  std::size_t after_star = kNone, retry = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      after_star = ++p;
      retry = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (after_star != kNone) {
      p = after_star;
      n = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace mayfly
