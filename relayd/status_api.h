// GET /api/v1/status/{dir} and /api/v1/status/{dir}/{key}.
#pragma once

#include "relayd/api_parts.h"

namespace mayfly::relayd {

void answer_status(const ApiParts& parts, ApiCall call);

}  // namespace mayfly::relayd
