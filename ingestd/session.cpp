#include "ingestd/session.h"

#include <algorithm>

namespace mayfly::ingestd {
std::string printable(std::string_view text, std::size_t limit) {
  std::string shown(text.substr(0, limit));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return shown;
}

}  // namespace mayfly::ingestd
