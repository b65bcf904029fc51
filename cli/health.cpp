#include "cli/health.h"

#include <algorithm>

#include "cli/segment_json.h"
#include "common/host_files.h"
#include "common/units.h"
#include "shm/clock.h"

namespace mayfly::cli {

using nlohmann::ordered_json;

namespace {

// The writer gives a sign once a second.
constexpr std::uint64_t kFreshNs = 5'000'000'000;

std::string writer_word(const shm::SegmentInfo& info) {
  if (writer_alive(info)) return "alive";
  return info.clean_stop ? "stopped" : "dead";
}

std::uint64_t connections(const shm::SegmentInfo& info) {
  std::uint64_t total = 0;
  for (const auto& worker : info.workers) total += worker.connections;
  return total;
}

}  // namespace

bool writer_alive(const shm::SegmentInfo& info) {
  if (!info.same_boot || info.clean_stop) return false;
  const auto now = shm::system_clocks().mono_ns();
  return std::any_of(info.workers.begin(), info.workers.end(), [now](const shm::WorkerInfo& worker) {
    return worker.heartbeat_mono_ns != 0 && now - std::min(now, worker.heartbeat_mono_ns) < kFreshNs;
  });
}

ordered_json local_health(const Globals& globals, const shm::Reader& reader) {
  const auto info = reader.info();
  const bool alive = writer_alive(info);
  ordered_json json;
  json["ok"] = alive && info.serving;
  json["writer"] = writer_word(info);
  json["serving"] = info.serving;
  json["quota_version"] = info.applied_version;
  json["segment"] = globals.segment_path();
  json["instance"] = instance_text(info.instance);
  json["epoch"] = info.epoch;
  json["bytes"] = info.bytes;
  json["pages"] = {{"total", info.pages_total}, {"free", info.pages_free}};
  json["connections"] = connections(info);
  const auto up = find_runtime_info(globals.runtime_directory());
  if (globals.segment.empty() && up) {
    for (const char* field :
         {"ingest", "ingest_unix", "redis", "relay", "hub", "server", "off_disk", "pids"}) {
      if (up.value().contains(field)) json[field] = up.value()[field];
    }
  }
  return json;
}

std::string health_text(const ordered_json& health) {
  const bool serving = health.at("serving").get<bool>();
  const std::string writer = health.at("writer");
  std::string text = health.at("ok").get<bool>() ? "mayfly is well\n" : "mayfly is not well\n";
  text += "writer       " + writer;
  if (writer == "alive") text += ", " + health.at("connections").dump() + " connections";
  text += serving ? ", quotas in force\n" : ", no quotas: writers are told -STOP\n";
  const auto total = health.at("pages").at("total").get<std::uint64_t>();
  const auto free = health.at("pages").at("free").get<std::uint64_t>();
  text += "segment      " + format_size_rounded(health.at("bytes").get<std::uint64_t>()) + ", " +
          std::to_string(total == 0 ? 0 : free * 100 / total) + " % free, " +
          health.at("segment").get<std::string>() + "\n";
  for (const char* field : {"ingest", "relay", "hub"}) {
    if (!health.contains(field) || !health[field].is_string()) continue;
    text += std::string(field) + std::string(13 - std::string(field).size(), ' ') +
            health[field].get<std::string>() + "\n";
  }
  return text;
}

}  // namespace mayfly::cli
