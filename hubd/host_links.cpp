#include "hubd/host_links.h"

#include <time.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "common/scope_header.h"
#include "hubd/header_filter.h"
#include "hubd/host_link.h"
#include "hubd/link_shared.h"
#include "hubd/plain_text.h"
#include "hubd/tunnel_endpoint.h"
#include "hubd/tunnel_id.h"

namespace mayfly::hubd {
namespace {

std::uint64_t links_wall_ms() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

}  // namespace

struct HostLinks::Parts {
  Parts(uv_loop_t* loop, HubMetrics& metrics, const LinkTimes& times)
      : shared(loop, metrics, times), endpoint(shared) {}

  LinkShared shared;
  TunnelEndpoint endpoint;
  bool closed = false;
};

HostLinks::HostLinks(uv_loop_t* loop, HubMetrics& metrics, const LinkTimes& times)
    : parts_(std::make_unique<Parts>(loop, metrics, times)) {}

HostLinks::~HostLinks() { close(); }

void HostLinks::set_config(const HubConfig& config) {
  auto& links = parts_->shared.links;
  std::unordered_map<std::string, std::shared_ptr<HostLink>> gone;
  gone.swap(links);
  for (const Server& server : config.servers) {
    std::shared_ptr<HostLink> link;
    if (const auto known = gone.find(server.name); known != gone.end()) {
      link = std::move(known->second);
      gone.erase(known);
      link->set_key(server.key_hash);
    } else {
      link = std::make_shared<HostLink>(parts_->shared, server.name, server.key_hash);
    }
    links.emplace(server.name, std::move(link));
  }
  for (const auto& [name, link] : gone) link->dismiss(401, "Bad X-ApiKey\n", 404, "Unknown server\n");
}

bool HostLinks::is_tunnel(const HttpRequest& request) {
  return std::string_view(request.path).starts_with(std::string(kTunnelRoot) + "/");
}

bool HostLinks::streams_body(const HttpRequest& head) {
  return head.method == "POST" && std::string_view(head.path).starts_with(kTunnelResponse);
}

void HostLinks::handle_tunnel(HttpRequest request, ResponseWriterPtr response) {
  if (parts_->closed) {
    return send_text(*response, parts_->shared.metrics, 503, "Server is shutting down, try again soon\n");
  }
  parts_->endpoint.handle(std::move(request), std::move(response));
}

void HostLinks::forward(const std::string& server, const Scope& scope, HttpRequest request,
                        ResponseWriterPtr response, ForwardOptions options) {
  HubMetrics& metrics = parts_->shared.metrics;
  const auto text = [&](int status, std::string_view words) {
    ++metrics.links.turned_away;
    send_text(*response, metrics, status, words);
  };
  if (request.method == "POST") return text(400, "Can't POST this\n");
  if (request.method != "GET" && !request.is_head()) return text(400, "Bad request\n");
  const auto found = parts_->shared.links.find(server);
  // Who may see nothing of it, learns nothing of it.
  if (parts_->closed || found == parts_->shared.links.end() || scope.nothing()) {
    return text(404, "Unknown server\n");
  }
  HostLink& link = *found->second;
  const HostState state = link.state();
  if (!scope.everything && !state.takes_scopes) {
    if (state.last_seen_ns) return text(404, "Unknown server\n");
    ++metrics.links.turned_away;  // what it honours is known with its first poll
    return send_text(*response, metrics, 503, "Server has not connected yet\n", {{"Retry-After", "2"}});
  }

  WrappedRequest wrapped;
  wrapped.id = make_tunnel_id(links_wall_ms());
  wrapped.method = request.method;
  wrapped.uri = target_for_host(request.path, request.query);
  wrapped.headers = headers_for_host(request.headers);
  if (!scope.everything) wrapped.headers.emplace_back(kReadScopeHeader, format_read_scope(scope.prefixes));
  RelayedRequest::Plan plan;
  plan.head_timeout = options.head_timeout;
  plan.prefix = std::move(options.prefix);
  plan.stays_alive = !state.version.empty();
  link.ask(std::move(wrapped), std::move(response), std::move(plan));
}

HostState HostLinks::state(const std::string& server) const {
  const auto found = parts_->shared.links.find(server);
  return found == parts_->shared.links.end() ? HostState() : found->second->state();
}

std::vector<KnockingStranger> HostLinks::strangers() const {
  const auto& all = parts_->endpoint.strangers().all();
  return {all.begin(), all.end()};
}

std::size_t HostLinks::parked() const { return parts_->shared.metrics.links.parked; }

void HostLinks::close() {
  if (std::exchange(parts_->closed, true)) return;
  for (const auto& [name, link] : parts_->shared.links) {
    link->dismiss(503, "Server is shutting down, try again soon\n", 504, "Relay shutting down\n");
  }
  parts_->shared.links.clear();
}

}  // namespace mayfly::hubd
