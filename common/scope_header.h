// How a hub tells a host that a reader may see only a part of it: one header, written here and read
// here. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shm/result.h"

namespace mayfly {

/// Prefixes of directory names, each percent-encoded, separated by commas; at least one, none empty.
/// Absent: everything. Counts in requests that came through a tunnel only.
inline constexpr std::string_view kReadScopeHeader = "mayfly-scope";

/// `prefixes` is not empty, and none of them is: an empty one covers everything, and nothing needs
/// to be said then.
std::string format_read_scope(const std::vector<std::string>& prefixes);

/// Errors (invalid): no prefix, an empty one, a `%` without two hexadecimal digits.
shm::Result<std::vector<std::string>> parse_read_scope(std::string_view value);

}  // namespace mayfly
