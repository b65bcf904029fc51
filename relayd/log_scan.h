// The answer to a query over a directory too large for one snapshot: read in slices, sent as it goes.
#pragma once

#include <string>

#include "relayd/api_parts.h"
#include "relayd/record_query.h"
#include "relayd/stream_output.h"

namespace mayfly::relayd {

/// Sends what matches, up to what was committed when the scan began. A record that is evicted
/// before the scan comes by is left out.
void scan_log(const ApiParts& parts, const ApiCall& call, const std::string& directory,
              const RecordQuery& query, StreamFormat format);

}  // namespace mayfly::relayd
