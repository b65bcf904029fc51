// Metric queries and volumes over what hosts answered. Pure functions, any thread.
#pragma once

#include <string>
#include <vector>

#include "hubd/loki_merge.h"
#include "hubd/loki_plan.h"

namespace mayfly::hubd {

/// Evaluates the question over the hosts' leaves. Parts that cannot be read are named in `problems`.
/// Errors (no_space): too many series.
shm::Result<logql::Value> evaluate_parts(const loki::Question& question, std::size_t leaves,
                                         const std::vector<LokiHostPart>& parts,
                                         std::vector<std::string>& problems);

/// Adds up volumes of equal labels, largest first.
logql::Matrix sum_volumes(const loki::VolumeQuestion& question, bool ranged,
                          const std::vector<LokiHostPart>& parts, std::vector<std::string>& problems);

}  // namespace mayfly::hubd
