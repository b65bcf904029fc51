// What a log query makes of an entry: whether its line passes, and which labels it has in the end.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/logql.h"

namespace mayfly::logql {

/// Sorted by name; a label that is empty is not there, but for a stream's own.
using Labels = std::map<std::string, std::string>;

/// How bad an entry is, as far as its line tells.
enum class Level : std::uint8_t { unknown, trace, debug, info, warn, error, critical, fatal };
inline constexpr std::size_t kLevels = 8;
inline constexpr std::string_view kLevelLabel = "detected_level";

std::string_view level_name(Level level);
/// From a field `level` (or a name like it) of a line in JSON or logfmt, else from the first word of
/// the line that names a level. Looks at the first 4 KiB. Any bytes.
Level detect_level(std::string_view line);

/// True where the labels of a stream fit; one that is not there counts as empty.
bool selects(const std::vector<LabelMatcher>& selector, const Labels& labels);

/// True where the line passes every line filter of the stages.
bool line_passes(const std::vector<Stage>& stages, std::string_view line);

/// The labels after the stages; nothing: a label filter left the entry out. The stages do not change
/// lines, so this depends on nothing but the labels.
std::optional<Labels> label_stages(const std::vector<Stage>& stages, Labels labels);

/// True unless nothing that the query yields depends on the level (with `kept`: of these labels only).
bool needs_level(const LogQuery& query, const Grouping* kept);

/// The labels that a group has.
Labels group_labels(const Labels& labels, const Grouping& grouping);

}  // namespace mayfly::logql
