#include "common/memory_limit.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "common/text.h"

namespace mayfly {
namespace {

// cgroup v1 says "no limit" with the largest multiple of a page.
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 62;

struct Group {
  std::string path;  // within its hierarchy, "/" or "/a/b"
  bool v2 = false;
};

// Lines of /proc/self/cgroup: "0::/path" (v2), "4:memory:/path" (v1).
std::optional<Group> memory_group(const std::string& proc_file) {
  std::ifstream lines(proc_file);
  std::optional<Group> found;
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    if (controllers.find(",memory,") != std::string::npos) return Group{line.substr(second + 1), false};
    if (controllers == ",,") found = Group{line.substr(second + 1), true};
  }
  return found;
}

std::optional<std::uint64_t> read_limit(const std::string& file) {
  std::ifstream stream(file);
  std::string text;
  if (!(stream >> text)) return std::nullopt;
  const auto number = parse_u64(text);  // "max" is none
  return number && *number < kNoLimit ? number : std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> memory_limit(const std::string& proc_file, const std::string& root) {
  const auto group = memory_group(proc_file);
  if (!group) return std::nullopt;
  const std::string base = group->v2 ? root : root + "/memory";
  const char* name = group->v2 ? "/memory.max" : "/memory.limit_in_bytes";
  std::optional<std::uint64_t> lowest;
  // Upwards to the root. In a container the path may be the outside's: then only the root is there.
  for (std::string path = group->path;;) {
    while (!path.empty() && path.back() == '/') path.pop_back();
    if (const auto limit = read_limit(base + path + name)) lowest = std::min(lowest.value_or(*limit), *limit);
    if (path.empty()) return lowest;
    path.erase(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

}  // namespace mayfly
