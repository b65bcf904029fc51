#include "relayd/relay.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <utility>

#include "common/http_server.h"
#include "common/loop_timer.h"
#include "common/socket_address.h"
#include "relayd/quota_sync.h"
#include "relayd/read_api.h"
#include "relayd/uplink.h"
#include "shm/control.h"

namespace mayfly::relayd {
namespace {

constexpr std::chrono::milliseconds kTick{1000};

/// What is damaged must not be written to any more; the next start sets it aside, and asks the hub.
[[noreturn]] void give_up_damaged(const std::string& how) {
  spdlog::critical("the control segment is damaged: {}", how);
  ::_exit(1);
}

const std::string& data_path(const RelayOptions& options) {
  return options.data_segment.empty() ? options.paths.data : options.data_segment;
}

}  // namespace

/// In the order in which they need each other.
struct Relay::Parts {
  RelayConfig config;
  std::unique_ptr<shm::ControlWriter> control;
  std::optional<shm::Rules> rules;                                      // in force
  std::shared_ptr<ReadCounts> counts = std::make_shared<ReadCounts>();  // jobs of the pool outlive us
  SegmentView segment;
  ReadPool pool;
  SliceRunner slices;
  FollowHub follow;
  ReadApi api;
  HttpServer server;
  std::optional<QuotaSync> quotas;
  std::optional<Uplink> uplink;
  LoopTimer tick;
  std::string address;

  Parts(uv_loop_t* loop, const RelayOptions& options, const shm::Clocks& clocks,
        std::unique_ptr<shm::ControlWriter> writer)
      : config(options.config),
        control(std::move(writer)),
        rules(control->state().rules),
        segment(data_path(options), clocks, counts.get()),
        pool(loop, data_path(options), clocks, counts),
        slices(loop),
        follow(loop, data_path(options), segment, slices,
               [this](bool waiting) { control->set_waiting(waiting); }),
        api({loop, SegmentAccess(segment, pool), slices, follow, [this] { return rules ? &*rules : nullptr; },
             [this] { return uplink ? std::optional(uplink->counts()) : std::nullopt; },
             [this] { return server.counts(); },
             [this] {
               return ReadingCounts{counts->segment_bytes.load(), counts->key_scans.load(), follow.counts()};
             }}),
        server(loop, server_options(config),
               [this](HttpRequest request, ResponseWriterPtr response) {
                 api.handle(std::move(request), std::move(response));
               }),
        tick(loop, [this] {
          control->heartbeat();
          if (control->torn()) give_up_damaged("it was truncated");
          segment.current();
          follow.tick();
        }) {
    control->set_waiting(false);  // a predecessor that was killed may have left it set
    control->heartbeat();
    tick.start(kTick, kTick);
  }

  static HttpServerOptions server_options(const RelayConfig& config) {
    HttpServerOptions options;
    options.hosts = config.hosts;
    options.max_connections = config.max_connections;
    options.max_connections_per_source = config.max_connections_per_source;
    return options;
  }

  shm::Status listen(const RelayOptions& options);
  shm::Status sync_quotas(uv_loop_t* loop);
  shm::Status open_tunnel(uv_loop_t* loop);
};

shm::Status Relay::Parts::listen(const RelayOptions& options) {
  for (const int fd : options.sockets) {
    if (address.empty()) address = "http://" + socket_address(fd);
    if (auto status = server.listen_fd(fd); !status.ok()) return status;
  }
  for (const int fd : options.unix_sockets) {
    if (auto status = server.listen_fd(fd); !status.ok()) return status;
  }
  if (options.sockets.empty() && config.listen) {
    const auto port = server.listen_tcp(config.listen->host, config.listen->port);
    if (!port.ok()) return port.error().in("--relay");
    const bool v6 = config.listen->host.find(':') != std::string::npos;
    address = "http://" + (v6 ? "[" + config.listen->host + "]" : config.listen->host) + ":" +
              std::to_string(port.value());
  }
  const std::string path = config.listen_unix.value_or(options.paths.relay_socket);
  if (!options.unix_sockets.empty() || path.empty()) return {};
  return server.listen_unix(path, config.socket_mode, config.socket_group);
}

shm::Status Relay::Parts::sync_quotas(uv_loop_t* loop) {
  if (config.quota_url.empty()) {
    spdlog::warn("no hub is configured: quotas stay as they are{}", rules ? "" : " (none)");
    return {};
  }
  quotas.emplace(loop, QuotaSource{config.quota_url, config.api_key, config.hub_ca}, QuotaPace{}, rules,
                 [this](const shm::Rules& news) {
                   auto published = control->publish(news);
                   if (!published.ok() && published.error().code == shm::Errc::corrupt) {
                     give_up_damaged(published.error().text);
                   }
                   if (published.ok()) rules = control->state().rules;
                   return published;
                 });
  return quotas->start();
}

shm::Status Relay::Parts::open_tunnel(uv_loop_t* loop) {
  if (config.tunnel_url.empty() || config.api_key.empty()) return {};
  uplink.emplace(loop, TunnelTarget{config.tunnel_url, config.name, config.api_key, config.hub_ca},
                 TunnelPace{}, TunnelLimits{}, [this](HttpRequest request, ResponseWriterPtr response) {
                   api.handle(std::move(request), std::move(response));
                 });
  return uplink->start();
}

shm::Result<std::unique_ptr<Relay>> Relay::start(uv_loop_t* loop, RelayOptions options) {
  const shm::Clocks& clocks = options.clocks != nullptr ? *options.clocks : shm::system_clocks();
  shm::ControlOptions control_options;
  control_options.path = options.paths.control;
  control_options.clocks = &clocks;
  control_options.require_memory_backed = options.require_memory_backed;
  auto control = shm::ControlWriter::open(control_options);
  if (!control.ok()) return control.error().in("the control segment");
  if (!control.value()->set_aside().empty()) {
    spdlog::warn("an unusable control segment was set aside as {}", control.value()->set_aside());
  }
  auto parts = std::make_unique<Parts>(loop, options, clocks, std::move(control.value()));
  if (auto status = parts->listen(options); !status.ok()) return status.error();
  if (auto status = parts->sync_quotas(loop); !status.ok()) return status.error();
  if (auto status = parts->open_tunnel(loop); !status.ok()) return status.error();
  return std::unique_ptr<Relay>(new Relay(std::move(parts)));
}

Relay::Relay(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Relay::~Relay() { parts_->server.close(); }

const std::string& Relay::address() const { return parts_->address; }

}  // namespace mayfly::relayd
