// GET /api/v1/keys/{dir}: the keys of a log.
#pragma once

#include "relayd/api_parts.h"

namespace mayfly::relayd {

/// The most keys in one answer; of more, those that were written last.
inline constexpr std::size_t kMaxListedKeys = 1'000;

/// {"directory":"demo","keys":[{"key":"web","records":12,"last_seq":98,"last_write":"..."}],"more":0},
/// sorted by key; `more`: how many keys are left out.
void answer_keys(const ApiParts& parts, ApiCall call);

}  // namespace mayfly::relayd
