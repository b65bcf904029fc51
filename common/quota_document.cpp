#include "common/quota_document.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <vector>

#include "common/blake3.h"
#include "common/name_pattern.h"

namespace mayfly {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;
using shm::Errc;
using shm::Error;
using shm::Kind;
using shm::Quotas;
using shm::Result;
using shm::Rule;
using shm::Rules;
using shm::Status;

Error refuse(const std::string& why) { return {Errc::invalid, "quota document: " + why}; }

OrderedJson rule_to_json(const Rule& rule) {
  OrderedJson json;
  json["kind"] = shm::kind_name(rule.kind);
  json[rule.pattern ? "pattern" : "name"] = rule.name;
  if (rule.pattern) json["max_directories"] = rule.max_directories;
  for (const QuotaField& field : kQuotaFields) {
    if (has_quota_field(field, rule.kind)) json[std::string(field.name)] = rule.quotas.*field.member;
  }
  json["when_keys_full"] = rule.quotas.drop_when_keys_full ? "drop" : "evict";
  return json;
}

std::string emit(const Rules& rules, const std::string* version) {
  OrderedJson json;
  if (version != nullptr) json["version"] = *version;
  json["paused"] = rules.paused;
  json["directories"] = OrderedJson::array();
  for (const Rule& rule : rules.rules) json["directories"].push_back(rule_to_json(rule));
  return json.dump();
}

/// Notices members that are given twice, which the parser itself lets pass.
class DuplicateFinder {
 public:
  bool operator()(int /*depth*/, Json::parse_event_t event, const Json& parsed) {
    if (event == Json::parse_event_t::object_start) open_.emplace_back();
    if (event == Json::parse_event_t::object_end) open_.pop_back();
    if (event == Json::parse_event_t::key && !open_.back().insert(parsed.get<std::string>()).second) {
      duplicate_ = parsed.get<std::string>();
    }
    return true;
  }
  const std::string& duplicate() const { return duplicate_; }

 private:
  std::vector<std::set<std::string>> open_;
  std::string duplicate_;
};

Result<Json> parse_json(std::string_view text) {
  if (text.size() > kMaxQuotaDocumentBytes) return refuse("longer than 8 MiB");
  DuplicateFinder finder;
  try {
    Json json = Json::parse(text, std::ref(finder));
    if (!finder.duplicate().empty()) return refuse("member \"" + finder.duplicate() + "\" is given twice");
    if (!json.is_object()) return refuse("not an object");
    return json;
  } catch (const Json::exception& error) {
    return refuse(error.what());
  }
}

/// Reads the members of one directory; keeps the first error.
class RuleReader {
 public:
  RuleReader(const Json& json, std::size_t index)
      : json_(json), where_("directories[" + std::to_string(index) + "]") {}

  Result<Rule> read() {
    if (!json_.is_object()) return refuse(where_ + " is not an object");
    read_kind();
    read_name();
    read_numbers();
    read_when_keys_full();
    if (!status_.ok()) return status_.error();
    return rule_;
  }

 private:
  void fail(const std::string& why) {
    if (status_.ok()) status_ = refuse(where_ + why);
  }

  const Json* member(std::string_view name) const {
    const auto found = json_.find(std::string(name));
    return found == json_.end() ? nullptr : &*found;
  }

  std::string text(std::string_view name, std::string_view fallback) {
    const Json* value = member(name);
    if (value == nullptr) return std::string(fallback);
    if (value->is_string()) return value->get<std::string>();
    fail("." + std::string(name) + " is not text");
    return {};
  }

  void number(std::string_view name, std::uint64_t& out) {
    const Json* value = member(name);
    if (value == nullptr) return;
    // The parser makes whatever is negative, fractional or beyond 64 bits another type of number.
    if (!value->is_number_unsigned())
      return fail("." + std::string(name) + " is not an integer of 0 to 2^64-1");
    out = value->get<std::uint64_t>();
  }

  void read_kind() {
    const std::string kind = text("kind", "");
    if (kind == "log") {
      rule_.kind = Kind::log;
    } else if (kind == "status") {
      rule_.kind = Kind::status;
    } else {
      fail(".kind is neither \"log\" nor \"status\"");
    }
  }

  void read_name() {
    rule_.pattern = member("pattern") != nullptr;
    if (rule_.pattern == (member("name") != nullptr)) return fail(" needs either a name or a pattern");
    rule_.name = text(rule_.pattern ? "pattern" : "name", "");
    if (!(rule_.pattern ? valid_name_pattern(rule_.name) : shm::valid_directory_name(rule_.name))) {
      fail(rule_.pattern ? ".pattern is not valid" : ".name is not valid");
    }
  }

  void read_numbers() {
    for (const QuotaField& field : kQuotaFields) {
      if (has_quota_field(field, rule_.kind)) {
        number(field.name, rule_.quotas.*field.member);
      } else if (member(field.name) != nullptr) {
        fail("." + std::string(field.name) + " has no meaning for this kind");
      }
    }
    if (member("max_bytes_per_key") == nullptr) rule_.quotas.max_bytes_per_key = rule_.quotas.max_total_bytes;
    number("max_directories", rule_.max_directories);
    if (!rule_.pattern && member("max_directories") != nullptr) fail(".max_directories is for patterns");
  }

  void read_when_keys_full() {
    const std::string word = text("when_keys_full", "evict");
    if (word != "evict" && word != "drop") fail(".when_keys_full is neither \"evict\" nor \"drop\"");
    rule_.quotas.drop_when_keys_full = word == "drop";
  }

  const Json& json_;
  std::string where_;
  Rule rule_;
  Status status_;
};

Status read_head(const Json& json, Rules& rules) {
  const auto version = json.find("version");
  if (version == json.end() || !version->is_string()) return refuse("version is missing, or not text");
  rules.version = version->get<std::string>();
  const auto printable = [](char c) { return c > ' ' && c < 0x7F && c != '"'; };
  if (rules.version.empty() || rules.version.size() > shm::kMaxVersionBytes ||
      !std::all_of(rules.version.begin(), rules.version.end(), printable)) {
    return refuse("version is not 1 to " + std::to_string(shm::kMaxVersionBytes) + " printable characters");
  }
  if (const auto paused = json.find("paused"); paused != json.end()) {
    if (!paused->is_boolean()) return refuse("paused is neither true nor false");
    rules.paused = paused->get<bool>();
  }
  const auto directories = json.find("directories");
  if (directories == json.end() || !directories->is_array())
    return refuse("directories is missing, or not a list");
  if (directories->size() > shm::kMaxRules) {
    return refuse("more than " + std::to_string(shm::kMaxRules) + " directories");
  }
  return {};
}

}  // namespace

std::string emit_quota_document(const Rules& rules) { return emit(rules, &rules.version); }

std::string quota_version(const Rules& rules) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  const Blake3Hash hash = blake3(emit(rules, nullptr));
  for (std::size_t i = 0; i < 16; ++i) {
    text += kDigits[hash[i] >> 4];
    text += kDigits[hash[i] & 15];
  }
  return text;
}

Result<Rules> parse_quota_document(std::string_view text) {
  Result<Json> parsed = parse_json(text);
  if (!parsed.ok()) return parsed.error();
  const Json& json = parsed.value();
  Rules rules;
  if (Status head = read_head(json, rules); !head.ok()) return head.error();
  const Json& directories = json["directories"];
  std::set<std::tuple<Kind, bool, std::string>> seen;
  for (std::size_t i = 0; i < directories.size(); ++i) {
    Result<Rule> rule = RuleReader(directories[i], i).read();
    if (!rule.ok()) return rule.error();
    const Rule& read = rule.value();
    if (!seen.emplace(read.kind, read.pattern, read.name).second) {
      return refuse("\"" + read.name + "\" is listed twice");
    }
    rules.rules.push_back(std::move(rule.value()));
  }
  return rules;
}

}  // namespace mayfly
