#include "common/logql_bind.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/logql_labels.h"

namespace mayfly::logql {
namespace {

/// A label filter with the label known: decided, or what is left of it.
struct BoundFilter {
  std::optional<bool> decided;
  LabelFilter left_over;
};

BoundFilter bind_filter(const LabelFilter& filter, std::string_view name, std::string_view value) {
  if (filter.kind == LabelFilter::Kind::matcher) {
    if (filter.matcher.name != name) return {std::nullopt, filter};
    return {filter.matcher.matches(value), {}};
  }
  BoundFilter left = bind_filter(*filter.left, name, value);
  BoundFilter right = bind_filter(*filter.right, name, value);
  const bool decisive = filter.kind == LabelFilter::Kind::either;  // this decides, the other leaves it open
  if (left.decided == decisive || right.decided == decisive) return {decisive, {}};
  if (left.decided) return right;
  if (right.decided) return left;
  return {std::nullopt,
          {filter.kind,
           {},
           std::make_shared<const LabelFilter>(std::move(left.left_over)),
           std::make_shared<const LabelFilter>(std::move(right.left_over))}};
}

bool narrows_alone(const LabelMatcher& matcher) {
  const bool positive = matcher.op == MatchOp::equal || matcher.op == MatchOp::matches;
  return positive && !matcher.matches("");
}

}  // namespace

std::optional<std::vector<LabelMatcher>> bind_label(const std::vector<LabelMatcher>& selector,
                                                    std::string_view name, std::string_view value) {
  std::vector<LabelMatcher> left_over;
  for (const auto& matcher : selector) {
    if (matcher.name != name) {
      left_over.push_back(matcher);
    } else if (!matcher.matches(value)) {
      return std::nullopt;
    }
  }
  if (std::none_of(left_over.begin(), left_over.end(), narrows_alone)) {
    left_over.push_back(make_matcher("kind", MatchOp::matches, ".+").value());
  }
  return left_over;
}

std::optional<BoundQuery> bind_label(const LogQuery& query, std::string_view name, std::string_view value) {
  auto selector = bind_label(query.selector, name, value);
  if (!selector) return std::nullopt;
  BoundQuery bound;
  bound.query.selector = std::move(*selector);
  for (const auto& stage : query.stages) {
    const std::string_view current = bound.keeps_label ? value : std::string_view();
    if (const auto* filter = std::get_if<LabelFilter>(&stage)) {
      BoundFilter left_over = bind_filter(*filter, name, current);
      if (left_over.decided == false) return std::nullopt;
      if (!left_over.decided) bound.query.stages.emplace_back(std::move(left_over.left_over));
      continue;
    }
    if (std::holds_alternative<LabelChoice>(stage) && bound.keeps_label) {
      const auto labels = label_stages({stage}, {{std::string(name), std::string(value)}});
      bound.keeps_label = labels && !labels->empty();
    }
    bound.query.stages.push_back(stage);
  }
  return bound;
}

}  // namespace mayfly::logql
