// One label of all streams fixed: how a query over many hosts becomes the query for one of them, which
// does not know its own name. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/logql.h"

namespace mayfly::logql {

/// What is left of a query once the label is known.
struct BoundQuery {
  LogQuery query;
  bool keeps_label = true;  // the label is still there after the stages
};

/// Nothing: no stream with that value is wanted. The query left over names the label in `drop` and
/// `keep` only, and has a matcher that narrows.
std::optional<BoundQuery> bind_label(const LogQuery& query, std::string_view name, std::string_view value);
std::optional<std::vector<LabelMatcher>> bind_label(const std::vector<LabelMatcher>& selector,
                                                    std::string_view name, std::string_view value);

}  // namespace mayfly::logql
