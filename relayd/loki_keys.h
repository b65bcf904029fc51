// The streams of one directory: which of its keys a query selects, and the labels that entries have.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/logql_labels.h"
#include "shm/quotas.h"

namespace mayfly::relayd {

/// What the entries of one key and one level have in common.
struct LokiStream {
  logql::Labels labels;
  std::optional<std::size_t> series;  // for who counts, at his disposal
};

/// A cache: labels are made once for each key and level. One thread.
class LokiKeys {
 public:
  /// `query` outlives this. Without `with_levels` no entry has a level.
  LokiKeys(const logql::LogQuery& query, shm::Kind kind, std::string_view directory, bool with_levels);

  /// True where the directory may have streams that the selector fits.
  static bool may_select(const std::vector<logql::LabelMatcher>& selector, shm::Kind kind,
                         std::string_view directory);
  /// {kind, directory, key}
  static logql::Labels stream_labels(shm::Kind kind, std::string_view directory, std::string_view key);
  /// The key, where the selector names a single one.
  static std::optional<std::string> only_key(const std::vector<logql::LabelMatcher>& selector);

  bool selects(std::string_view key) { return find(key).selected; }
  /// Null: the query leaves the entry out. Valid until the next call.
  LokiStream* stream_of(std::string_view key, std::string_view line);
  /// The same, for an entry that was taken: its labels as they go out.
  logql::Labels labels_of(std::string_view key, logql::Level level);
  logql::Level level_of(std::string_view line) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  struct Leveled {
    bool made = false;
    std::optional<LokiStream> stream;
  };
  struct Key {
    bool selected = false;
    logql::Labels labels;
    std::array<Leveled, logql::kLevels> levels;
  };
  Key& find(std::string_view key);
  std::optional<logql::Labels> final_labels(const logql::Labels& labels, logql::Level level) const;

  const logql::LogQuery& query_;
  shm::Kind kind_;
  std::string directory_;
  bool with_levels_;
  std::unordered_map<std::string, Key, Hash, std::equal_to<>> keys_;
};

}  // namespace mayfly::relayd
