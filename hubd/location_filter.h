// Where a host may send a reader's browser.
#pragma once

#include <string_view>

namespace mayfly::hubd {

/// True for a Location that stays below `prefix` when it is the answer to `prefix` + `path`, as a
/// browser resolves it: a relative one that does not climb out, or an absolute path within `prefix`.
/// Nothing with a scheme or a host of its own, no backslash, no blank or control byte, ASCII only.
/// `prefix` has no slash at its end; empty: it is not known, then no absolute path stays.
bool location_stays(std::string_view location, std::string_view path, std::string_view prefix);

}  // namespace mayfly::hubd
