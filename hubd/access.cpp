#include "hubd/access.h"

#include <algorithm>

namespace mayfly::hubd {
namespace {

bool concerns(const Right& right, std::string_view server) {
  return right.server == "*" || right.server == server;
}

bool has_right(const std::vector<Right>& rights, const Right& wanted) {
  return std::any_of(rights.begin(), rights.end(), [&](const Right& right) {
    return concerns(right, wanted.server) && std::string_view(wanted.prefix).starts_with(right.prefix);
  });
}

/// Adds `prefix`, and leaves out what a shorter one covers already.
void add_prefix(std::vector<std::string>& prefixes, const std::string& prefix) {
  const auto covered_by = [](std::string_view shorter) {
    return [shorter](const std::string& longer) { return std::string_view(longer).starts_with(shorter); };
  };
  const bool known = std::any_of(prefixes.begin(), prefixes.end(), [&](const std::string& shorter) {
    return std::string_view(prefix).starts_with(shorter);
  });
  if (known) return;
  std::erase_if(prefixes, covered_by(prefix));
  prefixes.push_back(prefix);
}

}  // namespace

bool Scope::covers(std::string_view directory) const {
  if (everything) return true;
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return directory.starts_with(prefix); });
}

Scope scope_for(const Reader& reader, std::string_view server) {
  Scope scope;
  if (reader.kind == Reader::Kind::nobody) return scope;
  scope.everything = reader.kind == Reader::Kind::everybody;
  for (const Right& right : reader.rights) {
    if (scope.everything) break;
    if (!concerns(right, server)) continue;
    scope.everything = right.prefix.empty();
    add_prefix(scope.prefixes, right.prefix);
  }
  if (scope.everything) scope.prefixes.clear();
  return scope;
}

bool contains(const Scope& outer, const Scope& inner) {
  if (outer.everything) return true;
  if (inner.everything) return false;
  return std::all_of(inner.prefixes.begin(), inner.prefixes.end(),
                     [&](const std::string& prefix) { return outer.covers(prefix); });
}

bool may_administer(const Reader& reader) {
  if (reader.kind == Reader::Kind::everybody) return true;
  if (reader.kind == Reader::Kind::nobody) return false;
  return has_right(reader.rights, {"*", ""});
}

bool keeps_rights(const Reader& now, const Reader& before) {
  if (now.kind == Reader::Kind::everybody) return true;
  if (now.kind == Reader::Kind::nobody || before.kind == Reader::Kind::everybody) return false;
  return std::all_of(before.rights.begin(), before.rights.end(),
                     [&](const Right& right) { return has_right(now.rights, right); });
}

bool needs_login(const HubConfig& config) { return !config.behind_proxy && !config.users.empty(); }

}  // namespace mayfly::hubd
