#include "supervisor/programs.h"

#include <thread>

#include "common/program_path.h"

namespace mayfly::supervisor {

using nlohmann::ordered_json;
using shm::Errc;
using shm::Result;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds kBindRetry{20};

const Listener* find_listener(const std::vector<Listener>& listeners, const std::string& name) {
  for (const auto& listener : listeners) {
    if (listener.name == name) return &listener;
  }
  return nullptr;
}

Result<Listener> listen_patiently(const std::string& name, std::uint16_t port, const std::string& flag,
                                  steady_clock::time_point until) {
  for (;;) {
    auto listener = listen_tcp(name, port, flag);
    if (listener || listener.error().code != Errc::busy || steady_clock::now() >= until) return listener;
    std::this_thread::sleep_for(kBindRetry);
  }
}

// Hands over the listeners of these names, as far as there are any.
void hand_over(SpawnRequest& request, const std::vector<Listener>& listeners,
               std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const auto* listener = find_listener(listeners, name)) {
      request.sockets.emplace_back(name, listener->fd.get());
    }
  }
}

ordered_json address_or_null(const std::vector<Listener>& listeners, const char* name,
                             const char* scheme = "") {
  const auto* listener = find_listener(listeners, name);
  if (listener == nullptr) return nullptr;
  return scheme + listener->address;
}

SpawnRequest hubd_request(const UpOptions& options, const HostIdentity& identity) {
  SpawnRequest request;
  if (!options.hub_config.empty()) request.arguments = {"--config", options.hub_config};
  request.arguments.insert(request.arguments.end(), {"--server", identity.name + "=" + identity.tripcode});
  return request;
}

SpawnRequest ingestd_request(const UpOptions& options, const RuntimePaths& paths) {
  SpawnRequest request;
  request.arguments = {"--runtime-dir", paths.directory};
  auto& arguments = request.arguments;
  if (!options.memory.empty()) arguments.insert(arguments.end(), {"--memory", options.memory});
  if (options.workers != 0) arguments.insert(arguments.end(), {"--workers", std::to_string(options.workers)});
  // What is not handed over is not opened either.
  if (!options.ingest_port) arguments.insert(arguments.end(), {"--ingest", "none"});
  if (!options.redis_port) arguments.insert(arguments.end(), {"--redis", "none"});
  return request;
}

SpawnRequest relayd_request(const UpOptions& options, const RuntimePaths& paths, const HostIdentity& identity,
                            const std::string& hub) {
  SpawnRequest request;
  request.arguments = {"--runtime-dir", paths.directory};
  auto& arguments = request.arguments;
  if (!options.config.empty()) arguments.insert(arguments.end(), {"--config", options.config});
  if (!hub.empty()) arguments.insert(arguments.end(), {"--hub-url", hub});
  if (!identity.name_in_config) arguments.insert(arguments.end(), {"--name", identity.name});
  if (!identity.key_file.empty()) arguments.insert(arguments.end(), {"--api-key-file", identity.key_file});
  if (!options.relay_port) arguments.insert(arguments.end(), {"--relay", "none"});
  return request;
}

}  // namespace

Result<std::vector<Listener>> open_listeners(const UpOptions& options, const RuntimePaths& paths,
                                             milliseconds patience) {
  const auto until = steady_clock::now() + patience;
  std::vector<Listener> listeners;
  const auto add_tcp = [&](const char* name, const Port& port, const char* flag) -> shm::Status {
    if (!port) return {};
    auto listener = listen_patiently(name, *port, flag, until);
    if (!listener) return listener.error();
    listeners.push_back(std::move(listener.value()));
    return {};
  };
  const auto add_unix = [&](const char* name, const std::string& path) -> shm::Status {
    auto listener = listen_unix(name, path, options.socket_mode, options.socket_group);
    if (!listener) return listener.error();
    listeners.push_back(std::move(listener.value()));
    return {};
  };
  if (auto added = add_tcp("ingest", options.ingest_port, "--ingest-port"); !added) return added.error();
  if (auto added = add_tcp("redis", options.redis_port, "--redis-port"); !added) return added.error();
  if (auto added = add_tcp("relay", options.relay_port, "--relay-port"); !added) return added.error();
  if (embeds_hub(options)) {
    if (auto added = add_tcp("hub", options.hub_port, "--hub-port"); !added) return added.error();
  }
  if (auto added = add_unix("ingest-unix", paths.ingest_socket); !added) return added.error();
  if (auto added = add_unix("relay-unix", paths.relay_socket); !added) return added.error();
  return listeners;
}

bool embeds_hub(const UpOptions& options) {
  return options.hub && options.hub_url.empty() && options.hub_port.has_value();
}

std::string hub_address(const UpOptions& options, const std::vector<Listener>& listeners) {
  const auto* hub = find_listener(listeners, "hub");
  return hub == nullptr ? options.hub_url : "http://" + hub->address;
}

std::vector<Program> make_programs(const UpOptions& options, const RuntimePaths& paths,
                                   const HostIdentity& identity, const std::vector<Listener>& listeners) {
  std::vector<Program> programs;
  if (embeds_hub(options)) {
    programs.push_back({"hubd", hubd_request(options, identity)});
    hand_over(programs.back().request, listeners, {"hub"});
  }
  programs.push_back({"ingestd", ingestd_request(options, paths)});
  hand_over(programs.back().request, listeners, {"ingest", "redis", "ingest-unix"});
  programs.push_back({"relayd", relayd_request(options, paths, identity, hub_address(options, listeners))});
  hand_over(programs.back().request, listeners, {"relay", "relay-unix"});

  for (auto& program : programs) {
    program.request.path = program_path(program.name);
    const auto watchdog = std::chrono::microseconds(options.watchdog).count();
    program.request.environment = {{"NOTIFY_SOCKET", paths.notify_socket},
                                   {"WATCHDOG_USEC", std::to_string(watchdog)}};
  }
  return programs;
}

ordered_json make_info(const UpOptions& options, const HostIdentity& identity,
                       const std::vector<Listener>& listeners) {
  auto info = make_event("ready");
  const std::string hub = hub_address(options, listeners);
  info["runtime_dir"] = options.runtime_dir;
  info["ingest"] = address_or_null(listeners, "ingest");
  info["ingest_unix"] = address_or_null(listeners, "ingest-unix");
  info["redis"] = address_or_null(listeners, "redis");
  info["relay"] = address_or_null(listeners, "relay", "http://");
  info["relay_unix"] = address_or_null(listeners, "relay-unix");
  info["hub"] = hub.empty() ? ordered_json(nullptr) : ordered_json(hub);
  info["server"] = identity.name;
  info["off_disk"] = is_off_disk(options.runtime_dir);
  info["pids"] = ordered_json::object();
  return info;
}

}  // namespace mayfly::supervisor
