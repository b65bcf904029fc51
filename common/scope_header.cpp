#include "common/scope_header.h"

#include "common/text.h"

namespace mayfly {

std::string format_read_scope(const std::vector<std::string>& prefixes) {
  std::string out;
  for (const auto& prefix : prefixes) {
    if (!out.empty()) out += ',';
    out += percent_encode(prefix);
  }
  return out;
}

shm::Result<std::vector<std::string>> parse_read_scope(std::string_view value) {
  std::vector<std::string> prefixes;
  while (true) {
    const std::size_t comma = value.find(',');
    auto prefix = percent_decode(value.substr(0, comma));
    if (!prefix || prefix->empty()) {
      return shm::Error{shm::Errc::invalid,
                        std::string(kReadScopeHeader) + " is not a list of percent-encoded prefixes"};
    }
    prefixes.push_back(std::move(*prefix));
    if (comma == std::string_view::npos) return prefixes;
    value.remove_prefix(comma + 1);
  }
}

}  // namespace mayfly
