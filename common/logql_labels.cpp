#include "common/logql_labels.h"

#include <algorithm>

namespace mayfly::logql {
namespace {

std::string_view label_of(const Labels& labels, const std::string& name) {
  const auto found = labels.find(name);
  return found == labels.end() ? std::string_view() : std::string_view(found->second);
}

bool filter_passes(const LabelFilter& filter, const Labels& labels) {
  switch (filter.kind) {
    case LabelFilter::Kind::matcher:
      return filter.matcher.matches(label_of(labels, filter.matcher.name));
    case LabelFilter::Kind::both:
      return filter_passes(*filter.left, labels) && filter_passes(*filter.right, labels);
    case LabelFilter::Kind::either:
      return filter_passes(*filter.left, labels) || filter_passes(*filter.right, labels);
  }
  return false;
}

bool names(const LabelFilter& filter, std::string_view label) {
  if (filter.kind == LabelFilter::Kind::matcher) return filter.matcher.name == label;
  return names(*filter.left, label) || names(*filter.right, label);
}

bool is_chosen(const LabelChoice& choice, const std::string& name, const std::string& value) {
  return std::any_of(choice.items.begin(), choice.items.end(), [&](const LabelChoice::Item& item) {
    return item.name == name && (!item.condition || item.condition->matches(value));
  });
}

void choose(const LabelChoice& choice, Labels& labels) {
  for (auto label = labels.begin(); label != labels.end();) {
    const bool stays = is_chosen(choice, label->first, label->second) == choice.keep;
    label = stays ? std::next(label) : labels.erase(label);
  }
}

/// True where the stage takes the label away whatever its value.
bool drops(const LabelChoice& choice, std::string_view label) {
  const auto named = [&](const LabelChoice::Item& item) { return item.name == label; };
  if (choice.keep) return std::none_of(choice.items.begin(), choice.items.end(), named);
  return std::any_of(choice.items.begin(), choice.items.end(),
                     [&](const LabelChoice::Item& item) { return named(item) && !item.condition; });
}

}  // namespace

std::string_view level_name(Level level) {
  constexpr std::array<std::string_view, kLevels> kNames = {"unknown", "trace", "debug",    "info",
                                                            "warn",    "error", "critical", "fatal"};
  return kNames[static_cast<std::size_t>(level)];
}

bool selects(const std::vector<LabelMatcher>& selector, const Labels& labels) {
  return std::all_of(selector.begin(), selector.end(), [&](const LabelMatcher& matcher) {
    return matcher.matches(label_of(labels, matcher.name));
  });
}

bool line_passes(const std::vector<Stage>& stages, std::string_view line) {
  return std::all_of(stages.begin(), stages.end(), [&](const Stage& stage) {
    const auto* filter = std::get_if<LineFilter>(&stage);
    return filter == nullptr || filter->passes(line);
  });
}

std::optional<Labels> label_stages(const std::vector<Stage>& stages, Labels labels) {
  for (const auto& stage : stages) {
    if (const auto* filter = std::get_if<LabelFilter>(&stage)) {
      if (!filter_passes(*filter, labels)) return std::nullopt;
    } else if (const auto* choice = std::get_if<LabelChoice>(&stage)) {
      choose(*choice, labels);
    }
  }
  return labels;
}

bool needs_level(const LogQuery& query, const Grouping* kept) {
  for (const auto& stage : query.stages) {
    if (const auto* filter = std::get_if<LabelFilter>(&stage)) {
      if (names(*filter, kLevelLabel)) return true;
    } else if (const auto* choice = std::get_if<LabelChoice>(&stage)) {
      if (drops(*choice, kLevelLabel)) return false;
    }
  }
  if (kept == nullptr) return true;
  const bool named = std::find(kept->labels.begin(), kept->labels.end(), kLevelLabel) != kept->labels.end();
  return named != kept->without;
}

Labels group_labels(const Labels& labels, const Grouping& grouping) {
  Labels group;
  for (const auto& [name, value] : labels) {
    const bool named =
        std::find(grouping.labels.begin(), grouping.labels.end(), name) != grouping.labels.end();
    if (named != grouping.without && !value.empty()) group.emplace(name, value);
  }
  return group;
}

}  // namespace mayfly::logql
