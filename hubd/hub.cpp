#include "hubd/hub.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "hubd/quota_book.h"

namespace mayfly::hubd {
namespace {

using shm::Errc;
using shm::Error;
using shm::Result;
using shm::Status;

// One waiting poll holds one connection.
constexpr std::size_t kMaxConnections = 16384;

}  // namespace

Hub::Hub(uv_loop_t* loop, HubOptions options)
    : loop_(loop), options_(std::move(options)), quotas_(loop, metrics_) {}

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
    spdlog::info("configuration read again: {} servers, {} directories", config_.servers.size(),
                 config_.directories.size());
  } else {
    ++metrics_.reloads_refused;
    spdlog::error("{} (refused as a whole; what was in force stays)", status.error().text);
  }
}

Status Hub::apply(HubConfig config) {
  for (const ListenAddress& address : addresses_for(config)) {
    if (Status servable = check_servable(config, address); !servable.ok()) return servable;
  }
  std::unique_ptr<ListeningSockets> sockets;
  const bool follows_file = options_.handed.empty() && !options_.listen;
  if (!sockets_ || (follows_file && config.listen != config_.listen)) {
    Result<std::unique_ptr<ListeningSockets>> bound =
        ListeningSockets::bind(options_.listen.value_or(config.listen));
    if (!bound.ok()) return bound.error();
    sockets = std::move(bound.value());
  }
  if (!server_ || sockets || config.hosts != config_.hosts) {
    if (Status served = serve(config, sockets ? *sockets : *sockets_); !served.ok()) return served;
  }
  if (sockets) sockets_ = std::move(sockets);
  config_ = std::move(config);
  for (const std::string& warning : config_.warnings) spdlog::warn("{}", warning);
  metrics_.servers = config_.servers.size();
  quotas_.set_book(std::make_shared<const QuotaBook>(config_));
  return {};
}

std::vector<ListenAddress> Hub::addresses_for(const HubConfig& config) const {
  if (!options_.handed.empty()) return sockets_->addresses();
  return {options_.listen.value_or(config.listen)};
}

Status Hub::serve(const HubConfig& config, const ListeningSockets& sockets) {
  Result<std::vector<int>> descriptors = sockets.duplicates();
  if (!descriptors.ok()) return descriptors.error();
  HttpServerOptions options;
  options.hosts = config.hosts;
  options.max_connections = kMaxConnections;
  options.max_body_bytes = 4096;  // nothing here takes a body
  auto server = std::make_unique<HttpServer>(
      loop_, options,
      [this](const HttpRequest& request, ResponseWriterPtr response) { handle(request, response); });
  Status status;
  for (const int fd : descriptors.value()) {
    if (!status.ok()) {
      close(fd);
    } else {
      status = server->listen_fd(fd);
    }
  }
  if (!status.ok()) return status;
  if (server_) refused_by_past_servers_ += server_->counts().refused_requests;
  server_ = std::move(server);
  return {};
}

void Hub::handle(const HttpRequest& request, ResponseWriterPtr response) {
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (std::string_view(request.path).starts_with(QuotaEndpoint::kPrefix)) {
    return quotas_.handle(request, std::move(response));
  }
  if (reads && request.path == "/healthz") return answer_text(*response, "text/plain; charset=utf-8", "ok\n");
  if (reads && request.path == "/readyz") {
    return answer_text(*response, "text/plain; charset=utf-8",
                       metrics_.configuration_ok
                           ? "ready\n"
                           : "ready; the changed file was refused, what was in force stays\n");
  }
  if (reads && request.path == "/metrics") return answer_metrics(*response);
  ++metrics_.answers[404];
  send_problem(*response, 404, "not_found", "no such resource");
}

void Hub::answer_text(ResponseWriter& response, std::string_view type, std::string_view body) {
  ++metrics_.answers[200];
  response.send(200,
                {{"Content-Type", std::string(type)},
                 {"Cache-Control", "no-store"},
                 {"X-Content-Type-Options", "nosniff"}},
                body);
}

void Hub::answer_metrics(ResponseWriter& response) {
  const HttpServerCounts counts = server_->counts();
  metrics_.refused_by_server = refused_by_past_servers_ + counts.refused_requests;
  metrics_.connections = counts.connections;
  metrics_.waiting_polls = quotas_.waiting();
  answer_text(response, "text/plain; version=0.0.4; charset=utf-8", metrics_.render());
}

std::string Hub::status() const {
  return "listening on " + sockets_->text() + ", " + std::to_string(config_.servers.size()) + " servers";
}

}  // namespace mayfly::hubd
