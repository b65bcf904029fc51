// The section `directories`: what may be stored, by name or by pattern.
#include <algorithm>
#include <map>

#include "common/name_pattern.h"
#include "hubd/hub_keys.h"
#include "hubd/hub_sections.h"

namespace mayfly::hubd {
namespace {

using shm::Kind;
using shm::Quotas;
using shm::Rule;
using shm::Status;

void read_kind(YamlMap& map, Rule& rule) {
  static constexpr std::string_view kWords[] = {"log", "status"};
  std::size_t word = 0;
  map.require({"kind"});
  map.choice("kind", kWords, word);
  rule.kind = word == 0 ? Kind::log : Kind::status;
}

void read_rule_name(YamlMap& map, const YamlValue& item, Rule& rule) {
  rule.pattern = map.has("pattern");
  if (rule.pattern == map.has("name")) return map.fail(item.place, "either `name` or `pattern` is needed");
  if (rule.pattern) {
    map.text("pattern", rule.name);
    if (map.ok() && !valid_name_pattern(rule.name)) {
      map.fail(map.place("pattern"),
               "`pattern` must be 1 to 128 of A-Z a-z 0-9 . _ - *, the first one of A-Z a-z 0-9 _ *");
    }
    map.integer("max_directories", rule.max_directories);
    return;
  }
  std::set<std::string> none;  // whether the name is given twice depends on the servers: see below
  read_name(map, "name", none, rule.name);
  if (map.has("max_directories")) map.fail(map.place("max_directories"), "`max_directories` is for patterns");
}

void read_quotas(YamlMap& map, Kind kind, Quotas& quotas) {
  static constexpr std::string_view kWhenFull[] = {"evict", "drop"};
  map.integer("max_keys", quotas.max_keys);
  map.size("max_key_bytes", quotas.max_key_bytes);
  map.size("max_value_bytes", quotas.max_value_bytes);
  map.size("max_total_bytes", quotas.max_total_bytes);
  quotas.max_bytes_per_key = quotas.max_total_bytes;
  map.size("max_bytes_per_key", quotas.max_bytes_per_key);
  if (kind == Kind::status && map.has("max_events_per_key")) {
    map.fail(map.place("max_events_per_key"),
             "`max_events_per_key` is for logs; a status key holds one value");
  }
  map.integer("max_events_per_key", quotas.max_events_per_key);
  map.age("max_age", quotas.max_age_seconds);
  map.size("reserve", quotas.reserve_bytes);
  if (kind == Kind::log && map.has("stale_after")) {
    map.fail(map.place("stale_after"), "`stale_after` is for statuses");
  }
  map.age("stale_after", quotas.stale_after_seconds);
  std::size_t when_full = quotas.drop_when_keys_full ? 1 : 0;
  map.choice("when_keys_full", kWhenFull, when_full);
  quotas.drop_when_keys_full = when_full == 1;
}

void read_narrowing(YamlMap& map, const HubConfig& config, std::vector<std::string>& servers) {
  const std::vector<YamlValue>* items = map.list("servers");
  if (items == nullptr) return;
  map.texts("servers", servers);
  if (map.ok() && servers.empty())
    map.fail(map.place("servers"), "`servers` names nobody; leave it out for all");
  for (std::size_t i = 0; map.ok() && i < servers.size(); ++i) {
    const auto named = [&](const Server& server) { return server.name == servers[i]; };
    if (std::none_of(config.servers.begin(), config.servers.end(), named)) {
      map.fail((*items)[i].place, "no server is named `" + servers[i] + "`");
    }
    if (std::find(servers.begin(), servers.begin() + static_cast<std::ptrdiff_t>(i), servers[i]) !=
        servers.begin() + static_cast<std::ptrdiff_t>(i)) {
      map.fail((*items)[i].place, "duplicate name `" + servers[i] + "`");
    }
  }
}

Status read_directory(const YamlValue& item, const HubConfig& config, DirectoryEntry& out) {
  YamlMap map(item, kDirectoryTable);
  if (!map.ok()) return map.status();
  read_kind(map, out.rule);
  read_rule_name(map, item, out.rule);
  read_quotas(map, out.rule.kind, out.rule.quotas);
  read_narrowing(map, config, out.servers);
  return map.status();
}

/// Some server gets both.
bool overlap(const DirectoryEntry& a, const DirectoryEntry& b) {
  if (a.servers.empty() || b.servers.empty()) return true;
  return std::any_of(a.servers.begin(), a.servers.end(),
                     [&](const std::string& server) { return b.covers(server); });
}

/// What may stand once for each server. `log` and `status` have their names each for itself.
std::string uniqueness_key(const Rule& rule) {
  return std::string(shm::kind_name(rule.kind)) + (rule.pattern ? " pattern " : " name ") + rule.name;
}

}  // namespace

Status read_directories(const std::vector<YamlValue>& items, HubConfig& config) {
  std::map<std::string, std::vector<std::size_t>> seen;
  for (const YamlValue& item : items) {
    DirectoryEntry entry;
    if (Status read = read_directory(item, config, entry); !read.ok()) return read;
    std::vector<std::size_t>& same = seen[uniqueness_key(entry.rule)];
    for (const std::size_t other : same) {
      if (!overlap(config.directories[other], entry)) continue;
      return YamlMap(item, kDirectoryTable)
          .place(entry.rule.pattern ? "pattern" : "name")
          .error("duplicate name `" + entry.rule.name + "`, first at " + items[other].place.text());
    }
    same.push_back(config.directories.size());
    if (config.directories.size() == shm::kMaxRules) {
      return item.place.error("more than " + std::to_string(shm::kMaxRules) + " directories");
    }
    config.directories.push_back(std::move(entry));
  }
  return {};
}

}  // namespace mayfly::hubd
