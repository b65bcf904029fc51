// A metric query over everything that its reader may see. For a pool thread.
#pragma once

#include "common/logql_series.h"
#include "relayd/loki_scan.h"

namespace mayfly::relayd {

/// Errors: the budget's; invalid and no_space: too many series.
shm::Result<logql::Value> run_metric_query(LokiScan& scan, const logql::Expr& expr, const logql::Grid& grid);

/// One range aggregation. Errors as above.
shm::Result<logql::Matrix> run_range_aggregation(LokiScan& scan, const logql::RangeAggregation& range,
                                                 const logql::Grouping* summed, const logql::Grid& grid);

}  // namespace mayfly::relayd
