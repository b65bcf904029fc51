// Strict reading of YAML configuration files.
//
// load_yaml_file() reads FILE and then every FILE.d/*.yaml in the order of their names into one
// tree of values that know where they were written. YamlMap then reads one map of that tree
// against a table of the keys it may hold, so that the tables are the complete list of what the
// code knows (docs/configuration.md is compared with them by a test).
//
// Every error reads `file:line:column: message` (both counted from 1, columns in bytes), so that
// an editor can jump there; Errc::invalid, or Errc::io / Errc::not_found for files.
//
// Refused anywhere: unknown keys, a key given twice, null, anchors, aliases and tags, several
// documents in one file, nesting deeper than 32, control characters, text that is not UTF-8, an
// empty file (a file in the middle of being rewritten must not count as "nothing configured").
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shm/result.h"

namespace mayfly {

/// The largest file that is read.
inline constexpr std::size_t kMaxYamlFileBytes = 16 << 20;

/// A file that was read; owner and mode are those of the opened file.
struct YamlSource {
  std::string path;
  uid_t owner = 0;
  mode_t mode = 0;
};

struct YamlPlace {
  std::shared_ptr<const YamlSource> source;
  int line = 1;
  int column = 1;

  /// "file:line:column".
  std::string text() const;
  /// An Errc::invalid reading "file:line:column: message".
  shm::Error error(const std::string& message) const;
};

/// One value. Copyable and self-contained; keeps its source alive.
struct YamlValue {
  enum class Type { null, scalar, list, map };
  struct Entry;

  Type type = Type::null;
  bool plain = false;  // scalar: written without quotes
  std::string text;    // scalar: its text
  YamlPlace place;
  std::vector<YamlValue> items;  // list
  std::vector<Entry> entries;    // map, in the order of the file
};

struct YamlValue::Entry {
  std::string key;
  YamlPlace key_place;
  YamlValue value;
};

struct YamlFile {
  YamlValue root;                  // always a map
  std::vector<std::string> files;  // what was read: FILE, then the drop-ins
};

/// Reads FILE and its drop-ins. Lists of one name are joined at the top level; anything else that
/// two files give is a duplicate key. A missing FILE.d is no error; a missing FILE is. `more` are read
/// after the drop-ins.
shm::Result<YamlFile> load_yaml_file(const std::string& path, const std::vector<std::string>& more = {});

/// The same for a text, without drop-ins. `name` stands for the file in errors.
shm::Result<YamlFile> parse_yaml_text(std::string_view text, const std::string& name);

/// An error unless the file in which `value` stands is ours and closed to others (mode 0600).
/// For values that are secrets.
shm::Status require_private(const YamlValue& value);

/// One key that a map may hold. All texts go into the reference as they are.
struct ConfigKey {
  std::string_view name;
  std::string_view form;      // "size", "age", "integer", "flag", "text", "list of text", ...
  std::string_view fallback;  // what counts when it is left out; "required" where it must be given
  std::string_view meaning;   // one short sentence
};

/// The keys of one map. `path` names it: "hub", "hub.directories".
struct ConfigTable {
  std::string_view path;
  std::span<const ConfigKey> keys;
};

/// A map of the file, read against its table.
///
/// The first error stays: after it nothing more is read, so that a sequence of reads needs one
/// check of status() at its end. Every reading function leaves `out` as it is where the key is
/// absent. The value must outlive the YamlMap. A key that is not in the table cannot be read
/// (assertion). Not thread-safe.
class YamlMap {
 public:
  YamlMap(const YamlValue& value, const ConfigTable& table);

  bool has(std::string_view key) const { return find(key) != nullptr; }
  /// The value as it is; nullptr when absent.
  const YamlValue* find(std::string_view key) const;
  /// Where the key's value stands, or the map, when absent.
  const YamlPlace& place(std::string_view key) const;

  void require(std::initializer_list<std::string_view> keys);
  /// Any scalar but null. Quoted or plain.
  void text(std::string_view key, std::string& out);
  /// `true` or `false`, plain.
  void flag(std::string_view key, bool& out);
  /// Plain decimal integers, sizes and ages as common/units.h has them.
  void integer(std::string_view key, std::uint64_t& out, std::uint64_t min = 0,
               std::uint64_t max = UINT64_MAX);
  void size(std::string_view key, std::uint64_t& out);
  void age(std::string_view key, std::uint64_t& out);
  /// One of `words`; `out` becomes its index.
  void choice(std::string_view key, std::span<const std::string_view> words, std::size_t& out);
  void texts(std::string_view key, std::vector<std::string>& out);
  /// The items of a list; nullptr when absent or on an error.
  const std::vector<YamlValue>* list(std::string_view key);
  /// A map; nullptr when absent or on an error.
  const YamlValue* map(std::string_view key);

  bool ok() const { return status_.ok(); }
  const shm::Status& status() const { return status_; }
  /// Keeps `message` at `place` as the error, unless there is one already.
  void fail(const YamlPlace& place, const std::string& message);
  /// Keeps the error of `status`, if it is one and there is none yet.
  void fail(const shm::Status& status);

 private:
  const YamlValue* scalar(std::string_view key);
  using Parser = shm::Result<std::uint64_t> (*)(std::string_view);
  void number(std::string_view key, std::uint64_t& out, Parser parse);

  const YamlValue& value_;
  const ConfigTable& table_;
  shm::Status status_;
};

}  // namespace mayfly
