// After a supervisor that was killed: its daemons die with it, which takes the kernel a moment.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>

namespace mayfly::supervisor {

/// Adds to mayfly.json what await_predecessors() needs to know a process for certain.
void note_process(nlohmann::ordered_json& info, const std::string& program, pid_t pid);

/// Waits until the daemons that `info` (a predecessor's mayfly.json) names are gone, up to `limit`
/// each; kills what is still there then. True when none is left.
bool await_predecessors(const nlohmann::ordered_json& info, std::chrono::milliseconds limit);

}  // namespace mayfly::supervisor
