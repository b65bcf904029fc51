#include "relayd/info_file.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "common/text.h"
#include "shm/clock.h"

namespace mayfly::relayd {
namespace {

nlohmann::ordered_json text_or_null(const std::string& text) {
  return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
}

}  // namespace

void write_info_file(const InfoFile& file, bool running) {
  nlohmann::ordered_json info = {
      {"event", running ? "ready" : "stopped"},        {"time", format_time(shm::system_clocks().wall_ns())},
      {"runtime_dir", file.paths.directory},           {"relay", text_or_null(file.address)},
      {"relay_unix", text_or_null(file.unix_socket)},  {"server", file.server},
      {"off_disk", is_off_disk(file.paths.directory)}, {"pids", nlohmann::ordered_json::object()}};
  if (running) info["pids"]["relayd"] = ::getpid();
  const shm::Status written = write_runtime_info(file.paths.directory, info);
  if (!written.ok())
    spdlog::warn("{} (commands do not find this service by themselves)", written.error().text);
}

}  // namespace mayfly::relayd
