// Labels, their values, series and index statistics over what hosts answered. Pure, any thread.
#pragma once

#include <string>
#include <vector>

#include "common/loki_request.h"
#include "hubd/loki_merge.h"

namespace mayfly::hubd {

/// The JSON of the whole answer. What cannot be read is named in the warnings.
std::string merge_listing(const loki::Target& target, const std::vector<LokiHostPart>& parts,
                          loki::Warnings warnings);

}  // namespace mayfly::hubd
