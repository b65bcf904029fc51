// Which daemons `mayfly up` runs, with which arguments and sockets.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/runtime_dir.h"
#include "shm/result.h"
#include "supervisor/child.h"
#include "supervisor/host.h"
#include "supervisor/options.h"
#include "supervisor/sockets.h"

namespace mayfly::supervisor {

/// All sockets that `options` asks for. Retries a busy port for `patience`. Errors: as listen_*().
shm::Result<std::vector<Listener>> open_listeners(const UpOptions& options, const RuntimePaths& paths,
                                                  std::chrono::milliseconds patience);

/// True when a hub runs with us.
bool embeds_hub(const UpOptions& options);

/// The hub that relayd talks to: the embedded one, --hub-url, or empty (what the host's file says).
std::string hub_address(const UpOptions& options, const std::vector<Listener>& listeners);

/// The daemons, found beside our own executable. `listeners` stay the caller's.
std::vector<Program> make_programs(const UpOptions& options, const RuntimePaths& paths,
                                   const HostIdentity& identity, const std::vector<Listener>& listeners);

/// The ready line (contract, section 1) without its pids.
nlohmann::ordered_json make_info(const UpOptions& options, const HostIdentity& identity,
                                 const std::vector<Listener>& listeners);

}  // namespace mayfly::supervisor
