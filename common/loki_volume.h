// How volumes are grouped: the same for one host and for many. Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "common/logql_series.h"
#include "common/loki_request.h"

namespace mayfly::loki {

/// The series that a stream counts for: its labels of those asked for, or one for each of their names.
std::vector<logql::Labels> volume_groups(const VolumeQuestion& question, const logql::Labels& stream);

/// The series with the largest sums, largest first.
void keep_largest(logql::Matrix& matrix, std::uint64_t limit);

}  // namespace mayfly::loki
