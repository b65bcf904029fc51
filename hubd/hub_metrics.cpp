#include "hubd/hub_metrics.h"

#include <string_view>

namespace mayfly::hubd {
namespace {

void head(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  out.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
  out.append(name).append(" ").append(type).append("\n");
}

void sample(std::string& out, std::string_view name, std::string_view labels, std::uint64_t value) {
  out.append(name);
  if (!labels.empty()) out.append("{").append(labels).append("}");
  out.append(" ").append(std::to_string(value)).append("\n");
}

void single(std::string& out, std::string_view name, std::string_view type, std::string_view help,
            std::uint64_t value) {
  head(out, name, type, help);
  sample(out, name, "", value);
}

}  // namespace

std::string HubMetrics::render() const {
  std::string out;
  head(out, "mayfly_build_info", "gauge", "The version that runs.");
  sample(out, "mayfly_build_info", "version=\"" MAYFLY_VERSION "\"", 1);
  head(out, "mayfly_hub_requests_total", "counter", "Answers by status.");
  for (const auto& [status, count] : answers) {
    sample(out, "mayfly_hub_requests_total", "code=\"" + std::to_string(status) + "\"", count);
  }
  single(out, "mayfly_hub_malformed_requests_total", "counter", "Refused before their path was looked at.",
         server.refused_requests);
  single(out, "mayfly_hub_wrong_keys_total", "counter", "Requests with a wrong key or none.", wrong_keys);
  single(out, "mayfly_hub_rate_limited_total", "counter", "Keys not looked at after too many wrong ones.",
         rate_limited);
  head(out, "mayfly_hub_reloads_total", "counter", "Readings of the hub's file since start.");
  sample(out, "mayfly_hub_reloads_total", "result=\"ok\"", reloads_ok);
  sample(out, "mayfly_hub_reloads_total", "result=\"refused\"", reloads_refused);
  single(out, "mayfly_hub_configuration_ok", "gauge",
         "0: the file was refused, the one before it is in force.", configuration_ok ? 1 : 0);
  single(out, "mayfly_hub_waiting_polls", "gauge", "Quota requests that wait for a change.", waiting_polls);
  single(out, "mayfly_hub_servers", "gauge", "Servers configured.", servers);
  single(out, "mayfly_hub_connections", "gauge", "Connections open.", server.connections);
  single(out, "mayfly_hub_refused_connections_total", "counter", "Connections refused at a limit.",
         server.refused_connections);
  single(out, "mayfly_hub_displaced_connections_total", "counter", "Idle connections closed for others.",
         server.displaced_connections);
  single(out, "mayfly_hub_timeouts_total", "counter", "Connections cut off for taking too long.",
         server.timeouts);
  access.render(out);
  links.render(out);
  return out;
}

}  // namespace mayfly::hubd
