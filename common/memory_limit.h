// How much memory the control groups around this process leave it: MemoryMax= of a unit, a
// container's limit. What it keeps on a tmpfs is charged to them too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace mayfly {

/// The lowest limit of this process's group and those around it, in bytes (cgroup v2, else v1);
/// nothing where there is none, or none that can be read. `proc_file` and `root` are for tests.
std::optional<std::uint64_t> memory_limit(const std::string& proc_file = "/proc/self/cgroup",
                                          const std::string& root = "/sys/fs/cgroup");

}  // namespace mayfly
