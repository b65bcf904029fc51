// Segment files as `mayfly inspect` and `mayfly status` tell of them. Pure functions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "shm/control.h"
#include "shm/reader.h"

namespace mayfly::cli {

/// {"segment":"data","path":…,"layout_version":…,"instance":…,"epoch":…,"bytes":…,"pages":{…},…,"directories":[…]}
nlohmann::ordered_json segment_json(const std::string& path, const shm::Reader& reader);

/// {"segment":"control","path":…,"instance":…,"serial":…,"version":…,"paused":…,"rules":…}
nlohmann::ordered_json control_json(const std::string& path, const shm::ControlState& state);

/// 16 hexadecimal digits.
std::string instance_text(std::uint64_t instance);

}  // namespace mayfly::cli
