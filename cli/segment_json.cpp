#include "cli/segment_json.h"

#include <cinttypes>
#include <cstdio>

#include "common/json_view.h"
#include "common/text.h"

namespace mayfly::cli {

using nlohmann::ordered_json;

std::string instance_text(std::uint64_t instance) {
  char text[17];
  std::snprintf(text, sizeof text, "%016" PRIx64, instance);
  return text;
}

ordered_json segment_json(const std::string& path, const shm::Reader& reader) {
  const auto info = reader.info();
  ordered_json json;
  json["segment"] = "data";
  json["path"] = path;
  json["layout_version"] = info.layout_version;
  json["instance"] = instance_text(info.instance);
  json["epoch"] = info.epoch;
  json["bytes"] = info.bytes;
  json["page_bytes"] = info.page_bytes;
  json["pages"] = {{"total", info.pages_total}, {"free", info.pages_free}};
  json["created"] = format_time(info.created_wall_ns);
  json["same_boot"] = info.same_boot;
  json["clean_stop"] = info.clean_stop;
  json["workers"] = info.workers.size();
  json["serving"] = info.serving;
  json["quota_version"] = info.applied_version;
  const auto all = directories_json(info, reader.directories());
  json["directories"] = all.at("directories");
  json["removed"] = all.at("removed");
  json["unknown"] = all.at("unknown");
  return json;
}

ordered_json control_json(const std::string& path, const shm::ControlState& state) {
  ordered_json json;
  json["segment"] = "control";
  json["path"] = path;
  json["instance"] = instance_text(state.instance);
  json["serial"] = state.serial;
  json["version"] = state.rules ? ordered_json(state.rules->version) : ordered_json(nullptr);
  json["paused"] = state.rules && state.rules->paused;
  auto rules = ordered_json::array();
  for (const auto& rule : state.rules ? state.rules->rules : std::vector<shm::Rule>()) {
    ordered_json one;
    one["kind"] = shm::kind_name(rule.kind);
    one[rule.pattern ? "pattern" : "name"] = rule.name;
    if (rule.pattern) one["max_directories"] = rule.max_directories;
    one["quotas"] = quotas_json(rule.kind, rule.quotas);
    rules.push_back(std::move(one));
  }
  json["rules"] = std::move(rules);
  return json;
}

}  // namespace mayfly::cli
