#include "ingestd/info_file.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string>

#include "common/text.h"
#include "shm/clock.h"

namespace mayfly::ingestd {

void write_info_file(const RuntimePaths& paths, const Listeners& listeners, bool running) {
  nlohmann::ordered_json info = {{"event", running ? "ready" : "stopped"},
                                 {"time", format_time(shm::system_clocks().wall_ns())},
                                 {"runtime_dir", paths.directory},
                                 {"ingest", nullptr},
                                 {"ingest_unix", nullptr},
                                 {"redis", nullptr},
                                 {"off_disk", is_off_disk(paths.directory)},
                                 {"pids", nlohmann::ordered_json::object()}};
  for (const Listener& listener : listeners.all()) {
    const char* field = listener.protocol == Protocol::redis ? "redis"
                        : listener.tcp                       ? "ingest"
                                                             : "ingest_unix";
    if (info[field].is_null()) info[field] = listener.address;
  }
  if (running) info["pids"]["ingestd"] = ::getpid();
  const shm::Status written = write_runtime_info(paths.directory, info);
  if (!written) spdlog::warn("{} (commands do not find this service by themselves)", written.error().text);
}

}  // namespace mayfly::ingestd
