// Whether what runs here is well, from the segment and mayfly.json alone.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.h"
#include "shm/reader.h"

namespace mayfly::cli {

/// {"ok":…,"writer":"alive","serving":…,…,"pids":{…}}. `ok`: the writer's heartbeat is fresh and
/// quotas are in force.
nlohmann::ordered_json local_health(const Globals& globals, const shm::Reader& reader);

/// The same in a few lines.
std::string health_text(const nlohmann::ordered_json& health);

/// True when the writer of this segment has given a sign of life within the last seconds.
bool writer_alive(const shm::SegmentInfo& info);

}  // namespace mayfly::cli
