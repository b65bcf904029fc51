#include "relayd/loki_keys.h"

#include <algorithm>
#include <utility>

#include "common/text.h"
#include "relayd/loki_limits.h"

namespace mayfly::relayd {

LokiKeys::LokiKeys(const logql::LogQuery& query, shm::Kind kind, std::string_view directory, bool with_levels)
    : query_(query), kind_(kind), directory_(directory), with_levels_(with_levels) {}

bool LokiKeys::may_select(const std::vector<logql::LabelMatcher>& selector, shm::Kind kind,
                          std::string_view directory) {
  return std::all_of(selector.begin(), selector.end(), [&](const logql::LabelMatcher& matcher) {
    if (matcher.name == "key") return true;
    if (matcher.name == "kind") return matcher.matches(shm::kind_name(kind));
    return matcher.matches(matcher.name == "directory" ? directory : std::string_view());
  });
}

logql::Labels LokiKeys::stream_labels(shm::Kind kind, std::string_view directory, std::string_view key) {
  return {{"directory", std::string(directory)},
          {"key", escape_invalid_utf8(key)},
          {"kind", std::string(shm::kind_name(kind))}};
}

std::optional<std::string> LokiKeys::only_key(const std::vector<logql::LabelMatcher>& selector) {
  for (const auto& matcher : selector) {
    // With a backslash it may be the shown form of bytes that are no text.
    const bool plain = matcher.value.find('\\') == std::string::npos;
    if (matcher.name == "key" && matcher.op == logql::MatchOp::equal && plain) return matcher.value;
  }
  return std::nullopt;
}

LokiKeys::Key& LokiKeys::find(std::string_view key) {
  if (const auto found = keys_.find(key); found != keys_.end()) return found->second;
  if (keys_.size() >= kLokiCachedKeys) keys_.clear();
  Key made;
  made.labels = stream_labels(kind_, directory_, key);
  made.selected = logql::selects(query_.selector, made.labels);
  return keys_.emplace(std::string(key), std::move(made)).first->second;
}

logql::Level LokiKeys::level_of(std::string_view line) const {
  return with_levels_ ? logql::detect_level(line) : logql::Level::unknown;
}

std::optional<logql::Labels> LokiKeys::final_labels(const logql::Labels& labels, logql::Level level) const {
  logql::Labels all = labels;
  if (with_levels_) all.emplace(logql::kLevelLabel, logql::level_name(level));
  return logql::label_stages(query_.stages, std::move(all));
}

LokiStream* LokiKeys::stream_of(std::string_view key, std::string_view line) {
  Key& found = find(key);
  if (!found.selected || !logql::line_passes(query_.stages, line)) return nullptr;
  const logql::Level level = level_of(line);
  Leveled& leveled = found.levels[static_cast<std::size_t>(level)];
  if (!std::exchange(leveled.made, true)) {
    if (auto labels = final_labels(found.labels, level)) {
      leveled.stream = LokiStream{std::move(*labels), std::nullopt};
    }
  }
  return leveled.stream ? &*leveled.stream : nullptr;
}

logql::Labels LokiKeys::labels_of(std::string_view key, logql::Level level) {
  return final_labels(find(key).labels, level).value_or(logql::Labels());
}

}  // namespace mayfly::relayd
