#include "hubd/page.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "common/static_assets.h"
#include "common/text.h"

namespace mayfly::hubd {
namespace {

const std::string& shown_name(const Server& server) {
  return server.display_name.empty() ? server.name : server.display_name;
}

/// The servers that `reader` may see something of, in the order of what they are called.
std::vector<const Server*> readable_servers(const HubConfig& config, const Reader& reader) {
  std::vector<const Server*> servers;
  for (const Server& server : config.servers) {
    if (!scope_for(reader, server.name).nothing()) servers.push_back(&server);
  }
  std::sort(servers.begin(), servers.end(), [](const Server* a, const Server* b) {
    return std::pair(shown_name(*a), a->name) < std::pair(shown_name(*b), b->name);
  });
  return servers;
}

nlohmann::ordered_json server_json(const Server& server, const HostState& state) {
  nlohmann::ordered_json entry;
  entry["name"] = server.name;
  entry["display_name"] = escape_invalid_utf8(shown_name(server));
  entry["connected"] = state.connected;
  entry["last_seen"] = nullptr;
  if (state.last_seen_ns) entry["last_seen"] = format_time(*state.last_seen_ns);
  entry["version"] = escape_invalid_utf8(state.version);
  entry["paused"] = server.paused;
  entry["waiting"] = state.waiting;
  entry["in_flight"] = state.in_flight;
  return entry;
}

/// The value of `name=` where the query is nothing else. Nothing: it is not given.
std::optional<std::string> only_parameter(std::string_view query, std::string_view name) {
  if (!query.starts_with(name) || query.substr(name.size(), 1) != "=") return std::nullopt;
  return percent_decode(query.substr(name.size() + 1));
}

}  // namespace

bool is_page_asset(const HttpRequest& request) {
  return is_asset_path(request.path) && (request.method == "GET" || request.is_head());
}

void answer_page_asset(const HttpRequest& request, ResponseWriter& response) {
  send_asset(web_assets(), request, response);
}

void answer_servers_page(const HttpRequest& request, ResponseWriter& response) {
  send_page(web_assets(), request, response, "servers.html");
}

void answer_server_page(const HttpRequest& request, ResponseWriter& response) {
  send_page(web_assets(), request, response, "hub_host.html");
}

void answer_servers(const HubConfig& config, const std::function<HostState(const std::string&)>& state_of,
                    const HttpRequest& request, ResponseWriter& response, const Reader& reader) {
  const std::optional<std::string> only = only_parameter(request.query, "name");
  nlohmann::ordered_json answer;
  answer["servers"] = nlohmann::ordered_json::array();
  for (const Server* server : readable_servers(config, reader)) {
    if (only && server->name != *only) continue;
    answer["servers"].push_back(server_json(*server, state_of(server->name)));
  }
  response.send(200,
                {{"Content-Type", "application/json"},
                 {"Cache-Control", "no-store"},
                 {"X-Content-Type-Options", "nosniff"}},
                answer.dump() + "\n");
}

}  // namespace mayfly::hubd
