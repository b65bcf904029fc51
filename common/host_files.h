// Finding what is up on a host, for programs that read or write there.
//
// `mayfly up` has one runtime directory for all. Where each daemon runs as a user of its own (the
// Debian package), none may write where its neighbour does: the directory then holds a part for
// each, `ingest/` and `relay/`, every part a runtime directory of its own with its own mayfly.json.
//
// Thread safety: free functions without state.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "shm/result.h"

namespace mayfly {

/// Where the package's services have their parts.
inline constexpr const char* kSystemRuntimeDir = "/run/mayfly";

/// For who looks for a running Mayfly: choose_runtime_dir(); but where neither `flag` nor
/// $RUNTIME_DIRECTORY names one, and this user has none, `system` if that exists.
std::string find_runtime_dir(const std::string& flag, const std::string& system = kSystemRuntimeDir);

/// True where `directory` holds a part for each daemon.
bool has_parts(const std::string& directory);

/// The data segment's path, in the directory itself or in its part.
std::string find_data_segment(const std::string& directory);

/// mayfly.json of the directory; else those of its parts as one, each believed only as to its own
/// daemon. Errors: as read_runtime_info().
shm::Result<nlohmann::ordered_json> find_runtime_info(const std::string& directory);

}  // namespace mayfly
