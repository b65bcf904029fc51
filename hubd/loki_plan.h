// What hosts are asked for one question of Loki's API. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/form_fields.h"
#include "common/loki_request.h"
#include "hubd/fan_out.h"
#include "hubd/fleet.h"
#include "hubd/loki_merge.h"

namespace mayfly::hubd {

/// One range aggregation of a metric query, and the sum that is all that is wanted of it.
struct LokiLeaf {
  logql::RangeAggregation range;
  std::optional<logql::Grouping> summed;
};

/// Questions, and how their answers are to be read, in the same order.
struct LokiPlan {
  std::vector<HostQuestion> questions;
  std::vector<LokiHostPart> parts;
  std::vector<LokiLeaf> leaves;  // of a metric query
};

using FleetMembers = std::vector<Fleet::Member>;

LokiPlan plan_logs(const loki::Question& question, const FleetMembers& members);
/// Errors (invalid): as logql::evaluate().
shm::Result<LokiPlan> plan_samples(const loki::Question& question, const FleetMembers& members);
/// `endpoint`: labels, label_values or series, or index_stats.
LokiPlan plan_listing(const loki::ListingQuestion& question, const loki::Target& target,
                      const FleetMembers& members);
LokiPlan plan_volume(const loki::VolumeQuestion& question, bool ranged, const FleetMembers& members);

/// True where `server` is among what a volume is aggregated by.
bool groups_by_server(const loki::VolumeQuestion& question);
/// True where a stream of that server may fit one of the selectors; none: everything fits.
bool may_fit(const loki::ListingQuestion& question, const std::string& server);

}  // namespace mayfly::hubd
