#include "hubd/hub.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "hubd/quota_book.h"
#include "shm/clock.h"

namespace mayfly::hubd {
namespace {

using shm::Errc;
using shm::Error;
using shm::Result;
using shm::Status;

// A host's answer has its own headers in one of its request.
constexpr std::size_t kMaxHeadBytes = 64 << 10;
// Forms; what hosts send is handed on as it comes.
constexpr std::size_t kMaxBodyBytes = 16 << 10;
// A followed log may be silent for as long as nothing happens; TCP's keep-alive finds dead hosts.
constexpr std::chrono::hours kBodyTimeout{24 * 365};

}  // namespace

Hub::Hub(uv_loop_t* loop, HubOptions options)
    : loop_(loop),
      options_(std::move(options)),
      config_(std::make_shared<const HubConfig>()),
      links_(loop, metrics_),
      quotas_(loop, metrics_),
      fleet_(loop, links_, metrics_),
      search_(fleet_),
      loki_(fleet_),
      scraper_(fleet_),
      gate_(loop, links_, sessions_, metrics_, audit_),
      login_(loop, sessions_, metrics_, audit_, [this] { gate_.look_again(); }),
      tls_timer_(loop, [this] { look_at_certificate(); }) {
  add_routes();
  tls_timer_.start(kTlsLook, kTlsLook);
}

Hub::~Hub() {
  links_.close();
  server_.reset();  // connections first: their answers belong to the parts
}

Result<std::unique_ptr<Hub>> Hub::start(uv_loop_t* loop, HubOptions options) {
  std::unique_ptr<Hub> hub(new Hub(loop, std::move(options)));
  if (!hub->options_.handed.empty()) hub->sockets_ = ListeningSockets::adopt(hub->options_.handed);
  // Before the first reading: what changes during it must not go unnoticed.
  if (hub->options_.config) {
    hub->watch_ =
        std::make_unique<FileWatch>(loop, *hub->options_.config, [raw = hub.get()] { raw->reload(); });
  }
  Result<HubConfig> config = hub->load();
  if (!config.ok()) return Error{Errc::invalid, config.error().text};
  if (Status applied = hub->apply(std::move(config.value())); !applied.ok()) return applied.error();
  AuditEntry started;
  started.event = AuditEntry::Event::started;
  started.first_ns = shm::system_clocks().wall_ns();
  hub->audit_.add(std::move(started));
  return hub;
}

Result<HubConfig> Hub::load() const {
  if (!options_.config) return default_hub_config(options_.servers);
  return load_hub_config(*options_.config, options_.servers);
}

void Hub::reload() {
  if (!options_.config) {
    spdlog::info("there is no file to read again");
    return;
  }
  Result<HubConfig> config = load();
  Status status;
  if (config.ok()) {
    status = apply(std::move(config.value()));
  } else {
    status = config.error();
  }
  metrics_.configuration_ok = status.ok();
  if (status.ok()) {
    ++metrics_.reloads_ok;
    spdlog::info("configuration read again: {} servers, {} directories", config_->servers.size(),
                 config_->directories.size());
  } else {
    ++metrics_.reloads_refused;
    spdlog::error("{} (refused as a whole; what was in force stays)", status.error().text);
  }
}

Status Hub::apply(HubConfig config) {
  for (const ListenAddress& address : addresses_for(config)) {
    if (Status servable = check_servable(config, address); !servable.ok()) return servable;
  }
  const bool new_tls = look_at_tls_files(config.tls) != tls_.files;
  ServedTls tls = tls_;
  if (new_tls) {
    Result<ServedTls> loaded = load_tls(config.tls);
    if (!loaded.ok()) return loaded.error();
    tls = std::move(loaded.value());
  }
  std::unique_ptr<ListeningSockets> sockets;
  const bool follows_file = options_.handed.empty() && !options_.listen;
  if (!sockets_ || (follows_file && config.listen != config_->listen)) {
    Result<std::unique_ptr<ListeningSockets>> bound =
        ListeningSockets::bind(options_.listen.value_or(config.listen));
    if (!bound.ok()) return bound.error();
    sockets = std::move(bound.value());
  }
  const auto of_the_server = [](const HubConfig& c) {
    return std::tie(c.hosts, c.max_connections, c.max_connections_per_source);
  };
  if (!server_ || sockets || new_tls || of_the_server(config) != of_the_server(*config_)) {
    if (Status served = serve(config, sockets ? *sockets : *sockets_, tls); !served.ok()) return served;
  }
  if (sockets) sockets_ = std::move(sockets);
  tls_ = std::move(tls);
  config_ = std::make_shared<const HubConfig>(std::move(config));
  spread();
  return {};
}

void Hub::spread() {
  for (const std::string& warning : config_->warnings) spdlog::warn("{}", warning);
  warn_of_listen();
  metrics_.servers = config_->servers.size();
  quotas_.set_book(std::make_shared<const QuotaBook>(*config_));
  links_.set_config(*config_);
  fleet_.set_config(config_);
  scraper_.set_config(config_);
  login_.set_config(config_);  // ends sessions, which the gate then looks at
  gate_.set_config(config_);
}

/// Who hands sockets over says with them where to listen; a file that says otherwise is not followed.
void Hub::warn_of_listen() const {
  if (options_.handed.empty() || config_->listen_place.empty()) return;
  const std::vector<ListenAddress> ours = sockets_->addresses();
  if (std::find(ours.begin(), ours.end(), config_->listen) != ours.end()) return;
  spdlog::warn(
      "{}`listen` is not followed: the sockets were handed over, and are {} (under systemd, "
      "`systemctl edit mayfly-hub.socket` says where)",
      config_->listen_place, sockets_->text());
}

void Hub::look_at_certificate() {
  const std::string files = look_at_tls_files(config_->tls);
  if (files == tls_.files || files == tls_refused_) return;
  spdlog::info("the certificate's files have changed");
  tls_refused_ = files;
  reload();
}

std::vector<ListenAddress> Hub::addresses_for(const HubConfig& config) const {
  if (!options_.handed.empty()) return sockets_->addresses();
  return {options_.listen.value_or(config.listen)};
}

Status Hub::serve(const HubConfig& config, const ListeningSockets& sockets, const ServedTls& tls) {
  Result<std::vector<int>> descriptors = sockets.duplicates();
  if (!descriptors.ok()) return descriptors.error();
  HttpServerOptions options;
  options.hosts = config.hosts;
  options.max_connections = config.max_connections;
  options.max_connections_per_source = config.max_connections_per_source;
  options.max_head_bytes = kMaxHeadBytes;
  options.max_body_bytes = kMaxBodyBytes;
  options.streams_body = &HostLinks::streams_body;
  options.body_timeout = kBodyTimeout;
  options.tls = tls.context;
  auto server =
      std::make_unique<HttpServer>(loop_, options, [this](HttpRequest request, ResponseWriterPtr response) {
        handle(std::move(request), std::move(response));
      });
  Status status;
  for (const int fd : descriptors.value()) {
    if (!status.ok()) {
      close(fd);
    } else {
      status = server->listen_fd(fd);
    }
  }
  if (!status.ok()) return status;
  if (server_) past_servers_ += server_->counts();
  server_ = std::move(server);
  return {};
}

Status check_configuration(const HubOptions& options, const std::vector<std::string>& more_drop_ins) {
  const Result<HubConfig> config = load_hub_config(*options.config, options.servers, more_drop_ins);
  if (!config.ok()) return config.error();
  for (const std::string& warning : config.value().warnings) spdlog::warn("{}", warning);
  const ListenAddress address = options.listen.value_or(config.value().listen);
  if (Status servable = check_servable(config.value(), address); !servable.ok()) return servable;
  const Result<ServedTls> tls = load_tls(config.value().tls);
  return tls.ok() ? Status() : Status(tls.error());
}

std::string Hub::status() const {
  return "listening on " + sockets_->text() + ", " + std::to_string(config_->servers.size()) + " servers";
}

}  // namespace mayfly::hubd
