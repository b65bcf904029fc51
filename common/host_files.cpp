#include "common/host_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "common/runtime_dir.h"

namespace mayfly {

using nlohmann::ordered_json;
using shm::Errc;
using shm::Result;

namespace {

std::string ingest_part(const std::string& directory) { return directory + "/ingest"; }
std::string relay_part(const std::string& directory) { return directory + "/relay"; }

bool is_directory(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

// A directory that a stranger made under our name is not ours: its word would lead us to it.
bool is_own_directory(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == ::geteuid();
}

void take_fields(const ordered_json& part, std::initializer_list<const char*> fields, const char* daemon,
                 ordered_json& whole) {
  for (const char* field : fields) {
    if (part.contains(field)) whole[field] = part[field];
  }
  if (const auto pids = part.find("pids"); pids != part.end() && pids->is_object() && pids->contains(daemon))
    whole["pids"][daemon] = (*pids)[daemon];
}

}  // namespace

std::string find_runtime_dir(const std::string& flag, const std::string& system) {
  std::string chosen = choose_runtime_dir(flag);
  // NOLINTNEXTLINE(concurrency-mt-unsafe): start of main
  if (!flag.empty() || std::getenv("RUNTIME_DIRECTORY") != nullptr) return chosen;
  return is_own_directory(chosen) || !is_directory(system) ? chosen : system;
}

bool has_parts(const std::string& directory) {
  return !is_directory(RuntimePaths(directory).segments) && is_directory(ingest_part(directory));
}

std::string find_data_segment(const std::string& directory) {
  return RuntimePaths(has_parts(directory) ? ingest_part(directory) : directory).data;
}

Result<ordered_json> find_runtime_info(const std::string& directory) {
  auto whole = read_runtime_info(directory);
  if (whole.ok() || whole.error().code != Errc::not_found || !has_parts(directory)) return whole;
  const auto ingest = read_runtime_info(ingest_part(directory));
  const auto relay = read_runtime_info(relay_part(directory));
  for (const auto* part : {&ingest, &relay}) {
    if (!part->ok() && part->error().code != Errc::not_found) return part->error();
  }
  if (!ingest.ok() && !relay.ok()) return whole;
  ordered_json info = {{"runtime_dir", directory}, {"pids", ordered_json::object()}};
  if (ingest.ok()) {
    take_fields(ingest.value(), {"ingest", "ingest_unix", "redis", "off_disk"}, "ingestd", info);
  }
  if (relay.ok()) take_fields(relay.value(), {"relay", "relay_unix", "server"}, "relayd", info);
  return info;
}

}  // namespace mayfly
