#include "hubd/search_merge.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>
#include <utility>

#include "common/text.h"
#include "shm/control.h"

namespace mayfly::hubd {
namespace {

using ReadJson = nlohmann::json;
using WrittenJson = nlohmann::ordered_json;

constexpr std::size_t kMaxDirectories = 1024;  // of one host's list
constexpr std::size_t kMaxTwinBytes = 32 << 20;

struct FoundRecord {
  std::uint64_t time_ns = 0;
  std::size_t part = 0;
  std::uint64_t seq = 0;
  std::string key;
  std::string line;
  std::optional<std::string> key_b64;
  std::optional<std::string> line_b64;
};

const std::string* text_of(const ReadJson& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
}

/// False: a twin that is no base64.
bool read_twin(const ReadJson& object, const char* name, std::optional<std::string>& out) {
  if (!object.contains(name)) return true;
  const std::string* text = text_of(object, name);
  if (text == nullptr || text->size() > kMaxTwinBytes || !base64_decode(*text)) return false;
  out = *text;
  return true;
}

std::optional<FoundRecord> read_record(std::string_view line, std::size_t part) {
  const ReadJson object = ReadJson::parse(line, nullptr, false);
  if (!object.is_object()) return {};
  const std::string* time = text_of(object, "time");
  const std::string* key = text_of(object, "key");
  const std::string* text = text_of(object, "line");
  const auto seq = object.find("seq");
  if (time == nullptr || key == nullptr || text == nullptr || seq == object.end() ||
      !seq->is_number_unsigned()) {
    return {};
  }
  const auto time_ns = parse_time(*time);
  if (!time_ns) return {};
  FoundRecord record{*time_ns, part, seq->get<std::uint64_t>(), *key, *text, {}, {}};
  if (!read_twin(object, "key_b64", record.key_b64) || !read_twin(object, "line_b64", record.line_b64))
    return {};
  return record;
}

/// Adds a part's records; how many lines were malformed.
std::uint64_t read_part(const SearchPart& part, std::size_t number, std::vector<FoundRecord>& out) {
  std::uint64_t malformed = 0;
  std::string_view rest = part.body;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos && !part.complete) break;
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.empty()) continue;
    if (std::optional<FoundRecord> record = read_record(line, number)) {
      out.push_back(std::move(*record));
    } else {
      ++malformed;
    }
  }
  return malformed;
}

WrittenJson record_json(const FoundRecord& record, const SearchPart& part) {
  WrittenJson json{{"server", part.server}, {"directory", part.directory},
                   {"seq", record.seq},     {"time", format_time(record.time_ns)},
                   {"key", record.key},     {"line", record.line}};
  if (record.key_b64) json["key_b64"] = *record.key_b64;
  if (record.line_b64) json["line_b64"] = *record.line_b64;
  return json;
}

WrittenJson left_out_json(const LeftOut& entry) {
  WrittenJson json = WrittenJson::object();
  if (!entry.server.empty()) json["server"] = entry.server;
  if (!entry.directory.empty()) json["directory"] = entry.directory;
  json["reason"] = entry.reason;
  if (entry.records != 0) json["records"] = entry.records;
  return json;
}

}  // namespace

std::vector<std::string> log_directories(std::string_view json, const Scope& scope, bool& malformed) {
  std::vector<std::string> names;
  const ReadJson list = ReadJson::parse(json, nullptr, false);
  malformed = !list.is_object() || !list.contains("directories") || !list["directories"].is_array();
  if (malformed) return names;
  for (const ReadJson& directory : list["directories"]) {
    if (names.size() == kMaxDirectories) break;
    if (!directory.is_object()) continue;
    const std::string* kind = text_of(directory, "kind");
    const std::string* name = text_of(directory, "name");
    if (kind == nullptr || name == nullptr || *kind != "log") continue;
    const auto records = directory.find("records");
    const bool is_empty = records != directory.end() && *records == 0;
    // The host has been told what the reader may see; whether it heeds that is not left to it.
    if (is_empty || !shm::valid_directory_name(*name) || !scope.covers(*name)) continue;
    names.push_back(*name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::string merge_search(const std::string& query, std::size_t limit, const std::vector<SearchPart>& parts,
                         std::vector<LeftOut> left_out) {
  std::vector<FoundRecord> found;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::uint64_t malformed = read_part(parts[i], i, found);
    if (malformed != 0) left_out.push_back({parts[i].server, parts[i].directory, "malformed", malformed});
    if (!parts[i].complete) left_out.push_back({parts[i].server, parts[i].directory, "too_large", 0});
  }
  const auto place = [](const FoundRecord& record) {
    return std::tuple(record.time_ns, record.part, record.seq);
  };
  std::sort(found.begin(), found.end(),
            [&](const FoundRecord& a, const FoundRecord& b) { return place(a) < place(b); });
  const std::size_t first = found.size() > limit ? found.size() - limit : 0;
  if (first != 0) left_out.push_back({"", "", "limit", first});

  WrittenJson json;
  json["query"] = query;
  json["complete"] = left_out.empty();
  json["records"] = WrittenJson::array();
  for (std::size_t i = first; i < found.size(); ++i) {
    json["records"].push_back(record_json(found[i], parts[found[i].part]));
  }
  json["left_out"] = WrittenJson::array();
  for (const LeftOut& entry : left_out) json["left_out"].push_back(left_out_json(entry));
  return json.dump(-1, ' ', false, WrittenJson::error_handler_t::replace) + "\n";
}

}  // namespace mayfly::hubd
