#include "relayd/read_scope.h"

#include <algorithm>
#include <utility>

#include "common/scope_header.h"

namespace mayfly::relayd {

shm::Result<ReadScope> ReadScope::of(const HttpRequest& request) {
  if (!request.tunnelled) return everything();
  std::optional<std::vector<std::string>> prefixes;
  for (const auto& [name, value] : request.headers) {
    if (name != kReadScopeHeader) continue;
    if (prefixes) return shm::Error{shm::Errc::invalid, std::string(kReadScopeHeader) + " is there twice"};
    auto parsed = parse_read_scope(value);
    if (!parsed.ok()) return parsed.error();
    prefixes = std::move(parsed.value());
  }
  return ReadScope(std::move(prefixes));
}

bool ReadScope::covers(std::string_view directory) const {
  if (!prefixes_) return true;
  return std::any_of(prefixes_->begin(), prefixes_->end(),
                     [&](const std::string& prefix) { return directory.substr(0, prefix.size()) == prefix; });
}

std::optional<VisibleDirectory> ReadScope::admit(shm::Kind kind, std::string_view directory) const {
  if (!covers(directory)) return std::nullopt;
  return VisibleDirectory(kind, std::string(directory));
}

}  // namespace mayfly::relayd
