// Patterns of directory names. `*` is the only metacharacter: any run of characters, also none.
#pragma once

#include <string_view>

namespace mayfly {

/// True for a text that may stand as a pattern: 1 to 128 of A-Z a-z 0-9 . _ - and `*`, the first
/// one of A-Z a-z 0-9 _ `*`.
bool valid_name_pattern(std::string_view pattern);

/// True when the whole of `name` fits `pattern`. Bytes are compared as they are. At most
/// |pattern| * |name| comparisons, without recursion; |pattern| + |name| for patterns of one `*`.
bool name_matches(std::string_view pattern, std::string_view name);

}  // namespace mayfly
