// GET /api/v1/logs/{dir}[/{key}], and the streams /api/v1/tail and /api/v1/watch.
#pragma once

#include "relayd/api_parts.h"

namespace mayfly::relayd {

void answer_logs(const ApiParts& parts, ApiCall call);

/// `kind`: log for tail, status for watch.
void answer_stream(const ApiParts& parts, ApiCall call, shm::Kind kind);

}  // namespace mayfly::relayd
