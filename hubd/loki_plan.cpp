#include "hubd/loki_plan.h"

#include <algorithm>
#include <utility>

#include "common/logql_bind.h"
#include "common/logql_lexer.h"
#include "common/text.h"

namespace mayfly::hubd {
namespace {

using loki::Endpoint;

const HttpHeaders kLokiHeaders = {{"accept", "application/json"}, {"user-agent", "mayfly-hubd"}};

void add_question(LokiPlan& plan, const Fleet::Member& member, const std::string& path,
                  const FormFields& fields, bool keeps_label = true, std::size_t leaf = 0) {
  const std::string& server = member.server->name;
  plan.questions.push_back(
      {server, member.scope, std::string(loki::kRoot) + path, fields.to_query(), kLokiHeaders});
  plan.parts.push_back({server, member.scope, keeps_label, leaf, 0, {}, {}});
}

/// Times as RFC 3339: digits alone may mean seconds.
void add_span(FormFields& fields, const loki::Span& span) {
  fields.add("start", format_time(span.start_ns));
  fields.add("end", format_time(span.end_ns));
}

std::string leaf_text(const LokiLeaf& leaf, logql::LogQuery query) {
  logql::RangeAggregation range = leaf.range;
  range.query = std::move(query);
  const auto inner = std::make_shared<const logql::Expr>(logql::Expr{std::move(range)});
  if (!leaf.summed) return logql::to_text(*inner);
  return logql::to_text(logql::Expr{logql::VectorAggregation{logql::VectorOp::sum, leaf.summed, 0, inner}});
}

FormFields sample_fields(const logql::Grid& grid, bool instant, const std::string& query) {
  FormFields fields;
  fields.add("query", query);
  if (instant) {
    fields.add("time", format_time(static_cast<std::uint64_t>(grid.start_ns)));
    return fields;
  }
  add_span(fields,
           {static_cast<std::uint64_t>(grid.start_ns), static_cast<std::uint64_t>(grid.at(grid.points - 1))});
  fields.add("step", logql::format_duration(grid.step_ns));
  return fields;
}

/// The leaves in the order in which evaluate() asks for them.
shm::Result<std::vector<LokiLeaf>> leaves_of(const logql::Expr& expr) {
  std::vector<LokiLeaf> leaves;
  const auto tried = logql::evaluate(
      expr, logql::Grid(), [&](const logql::RangeAggregation& range, const logql::Grouping* summed) {
        leaves.push_back({range, summed != nullptr ? std::optional(*summed) : std::nullopt});
        return shm::Result<logql::Matrix>(logql::Matrix());
      });
  if (!tried.ok()) return tried.error();
  return leaves;
}

const char* listing_path(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::labels:
      return "labels";
    case Endpoint::series:
      return "series";
    default:
      return "index/stats";
  }
}

/// What volumes are aggregated by at a host, which has no label `server`.
std::string volume_labels(const loki::VolumeQuestion& question) {
  if (question.labels.empty()) return "directory,key,kind";
  std::string out;
  for (const auto& label : question.labels) {
    if (label == kServerLabel) continue;
    if (!out.empty()) out += ',';
    out += label;
  }
  return out.empty() ? std::string(kServerLabel) : out;
}

}  // namespace

LokiPlan plan_logs(const loki::Question& question, const FleetMembers& members) {
  LokiPlan plan;
  for (const auto& member : members) {
    const auto bound =
        logql::bind_label(std::get<logql::LogQuery>(question.query), kServerLabel, member.server->name);
    if (!bound) continue;
    FormFields fields;
    fields.add("query", logql::to_text(bound->query));
    add_span(fields, question.span);
    fields.add("direction", question.forward ? "forward" : "backward");
    // The interval is between entries of all hosts.
    fields.add("limit", std::to_string(question.interval_ns > 0 ? loki::kMaxEntries : question.limit));
    add_question(plan, member, "query_range", fields, bound->keeps_label);
  }
  return plan;
}

shm::Result<LokiPlan> plan_samples(const loki::Question& question, const FleetMembers& members) {
  LokiPlan plan;
  auto leaves = leaves_of(*std::get<logql::ExprPtr>(question.query));
  if (!leaves.ok()) return leaves.error();
  plan.leaves = std::move(leaves.value());
  for (std::size_t i = 0; i < plan.leaves.size(); ++i) {
    for (const auto& member : members) {
      auto bound = logql::bind_label(plan.leaves[i].range.query, kServerLabel, member.server->name);
      if (!bound) continue;
      const std::string text = leaf_text(plan.leaves[i], std::move(bound->query));
      add_question(plan, member, question.instant ? "query" : "query_range",
                   sample_fields(question.grid, question.instant, text), bound->keeps_label, i);
    }
  }
  return plan;
}

LokiPlan plan_listing(const loki::ListingQuestion& question, const loki::Target& target,
                      const FleetMembers& members) {
  LokiPlan plan;
  const bool of_series = target.endpoint == Endpoint::series;
  for (const auto& member : members) {
    FormFields fields;
    bool any = question.selectors.empty();
    for (const auto& selector : question.selectors) {
      const auto bound = logql::bind_label(selector, kServerLabel, member.server->name);
      if (!bound) continue;
      any = true;
      fields.add(of_series ? "match[]" : "query", logql::to_text(*bound));
    }
    if (!any) continue;
    add_span(fields, question.span);
    const std::string path = target.endpoint == Endpoint::label_values
                                 ? "label/" + percent_encode(target.label) + "/values"
                                 : listing_path(target.endpoint);
    add_question(plan, member, path, fields);
  }
  return plan;
}

LokiPlan plan_volume(const loki::VolumeQuestion& question, bool ranged, const FleetMembers& members) {
  LokiPlan plan;
  for (const auto& member : members) {
    const auto selector = logql::bind_label(question.selector, kServerLabel, member.server->name);
    if (!selector) continue;
    FormFields fields;
    fields.add("query", logql::to_text(*selector));
    add_span(fields, question.span);
    fields.add("limit", std::to_string(loki::kMaxEntries));
    fields.add("targetLabels", volume_labels(question));
    if (question.by_name) fields.add("aggregateBy", "labels");
    if (ranged) fields.add("step", logql::format_duration(question.grid.step_ns));
    add_question(plan, member, ranged ? "index/volume_range" : "index/volume", fields,
                 groups_by_server(question) && !question.by_name);
  }
  return plan;
}

bool groups_by_server(const loki::VolumeQuestion& question) {
  return question.labels.empty() ||
         std::find(question.labels.begin(), question.labels.end(), kServerLabel) != question.labels.end();
}

bool may_fit(const loki::ListingQuestion& question, const std::string& server) {
  return question.selectors.empty() ||
         std::any_of(question.selectors.begin(), question.selectors.end(), [&](const auto& selector) {
           return logql::bind_label(selector, kServerLabel, server).has_value();
         });
}

}  // namespace mayfly::hubd
