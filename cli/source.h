// Where reading commands read: the local segment, read-only, or a relayd or hub (--url). Both give
// the objects of the read API.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.h"
#include "shm/reader.h"
#include "shm/result.h"

namespace mayfly::cli {

/// Attaches to the segment that `globals` names. Errors: as Reader::open, worded for people.
shm::Result<shm::Reader> open_segment(const Globals& globals);

/// An open directory of that kind. Errors: not_found (none of that name, or of another kind).
shm::Result<shm::DirectoryInfo> find_directory(const shm::Reader& reader, const std::string& name,
                                               shm::Kind kind);

/// {"directories":[…],"removed":{…},"unknown":{…}}
shm::Result<nlohmann::ordered_json> read_directories(const Globals& globals);

/// Parses an answer of a relayd or hub. Errors: io (no JSON object).
shm::Result<nlohmann::ordered_json> get_json(const std::string& url);

/// The bytes of a text field of the read API: those of its `_b64` twin where there is one.
std::string exact_bytes(const nlohmann::ordered_json& object, const std::string& field);

/// The path of a key below `prefix`, or its `?key_b64=` form where a path cannot carry it.
std::string key_path(const std::string& prefix, const std::string& key);

/// All causes of a drop or eviction count added up.
std::uint64_t sum_of_causes(const nlohmann::ordered_json& counts);

}  // namespace mayfly::cli
