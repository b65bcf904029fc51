#include "hubd/scraper_api.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/http_negotiation.h"
#include "common/text.h"
#include "hubd/fan_out.h"
#include "hubd/fleet_exposition.h"
#include "hubd/plain_text.h"

namespace mayfly::hubd {
namespace {

using ScraperJson = nlohmann::ordered_json;

constexpr std::string_view kTextType = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::string_view kOpenMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

// Below Prometheus's ten seconds, with time left to put the answers together.
constexpr std::chrono::milliseconds kMaxScrapeTime{8000};
constexpr std::chrono::milliseconds kMinScrapeTime{500};

std::string dump_line(const ScraperJson& json) {
  return json.dump(-1, ' ', false, ScraperJson::error_handler_t::replace) + "\n";
}

/// How long hosts may take: four fifths of what the scraper says it waits.
std::chrono::milliseconds scrape_time(const HttpRequest& request) {
  const std::string* given = request.header("x-prometheus-scrape-timeout-seconds");
  if (given == nullptr || given->empty() || given->size() > 16) return kMaxScrapeTime;
  char* end = nullptr;
  const double seconds = std::strtod(given->c_str(), &end);
  if (*end != '\0' || !(seconds > 0) || seconds > 3600) return kMaxScrapeTime;
  const std::chrono::milliseconds asked(static_cast<std::int64_t>(seconds * 800));
  return std::clamp(asked, kMinScrapeTime, kMaxScrapeTime);
}

const std::string& listed_name(const Server& server) {
  return server.display_name.empty() ? server.name : server.display_name;
}

/// The Host that the scraper reached the hub by, where it is fit for a target.
std::string own_address(const HttpRequest& request) {
  const std::string* host = request.header("host");
  const auto unfit = [](char c) {
    return c <= 0x20 || c >= 0x7f || c == '/' || c == '"' || c == '\\' || c == '@';
  };
  if (host == nullptr || std::any_of(host->begin(), host->end(), unfit)) return "localhost";
  return *host;
}

}  // namespace

void ScraperApi::handle(const HttpRequest& request, const ResponseWriterPtr& response,
                        const ReaderPtr& reader) {
  HubMetrics& metrics = fleet_.metrics();
  if (request.method == "POST") return send_text(*response, metrics, 400, "Can't POST this\n");
  if (request.method != "GET" && !request.is_head())
    return send_text(*response, metrics, 400, "Bad request\n");
  std::string_view path = request.path;
  if (path.starts_with("/scraper/v1/")) {
    path.remove_prefix(12);
  } else if (path.starts_with("/scraper/api/")) {
    path.remove_prefix(13);
  } else {
    return send_text(*response, metrics, 404, "Unknown scraper API version\n");
  }
  if (path == "test") return send_text(*response, metrics, 200, "You're valid!\n");
  if (path == "server_list") return answer_server_list(*response, *reader);
  if (path == "http_sd") return answer_discovery(request, *response, *reader);
  if (path == "metrics") return answer_metrics(request, response, *reader);
  if (path.starts_with("server/")) return send_text(*response, metrics, 400, "Bad URI format\n");
  send_text(*response, metrics, 404, "Unknown scraper API endpoint\n");
}

void ScraperApi::answer_server_list(ResponseWriter& response, const Reader& reader) {
  std::vector<Fleet::Member> members = fleet_.members(reader);
  std::stable_sort(members.begin(), members.end(), [](const auto& a, const auto& b) {
    return listed_name(*a.server) < listed_name(*b.server);
  });
  ScraperJson servers = ScraperJson::array();
  for (const Fleet::Member& member : members) {
    const HostState state = fleet_.links().state(member.server->name);
    ScraperJson last_seen;
    if (state.last_seen_ns) {
      std::string time = format_time(*state.last_seen_ns);
      time.pop_back();  // PTTH writes the offset
      last_seen = time + "+00:00";
    }
    servers.push_back({{"name", member.server->name},
                       {"display_name", listed_name(*member.server)},
                       {"last_seen", last_seen}});
  }
  send_data(response, fleet_.metrics(), "application/json", dump_line({{"servers", servers}}));
}

void ScraperApi::answer_discovery(const HttpRequest& request, ResponseWriter& response,
                                  const Reader& reader) {
  // One entry for each server: Prometheus then scrapes it through the hub, as a target of its own.
  const std::string* proto = request.header("x-forwarded-proto");
  const bool proxied_tls = config_ && config_->behind_proxy && proto != nullptr && *proto == "https";
  ScraperJson groups = ScraperJson::array();
  for (const Fleet::Member& member : fleet_.members(reader)) {
    const std::string& name = member.server->name;
    groups.push_back({{"targets", {own_address(request)}},
                      {"labels",
                       {{"__metrics_path__", "/scraper/v1/server/" + name + "/metrics"},
                        {"__scheme__", request.secure || proxied_tls ? "https" : "http"},
                        {"server", name},
                        {"__meta_mayfly_display_name", listed_name(*member.server)}}}});
  }
  send_data(response, fleet_.metrics(), "application/json", dump_line(groups));
}

void ScraperApi::answer_metrics(const HttpRequest& request, const ResponseWriterPtr& response,
                                const Reader& reader) {
  Fleet::Slot slot = fleet_.take_slot(*response);
  if (!slot) return;
  const auto hosts = std::make_shared<std::vector<HostMetrics>>();
  std::vector<HostQuestion> questions;
  for (const Fleet::Member& member : fleet_.members(reader)) {
    const HostState state = fleet_.links().state(member.server->name);
    hosts->push_back({member.server->name, false, state.last_seen_ns, 0, {}, false});
    questions.push_back({member.server->name,
                         member.scope,
                         "/metrics",
                         "",
                         {{"accept", "text/plain;version=0.0.4"}, {"user-agent", "mayfly-hubd"}}});
  }
  const bool open_metrics = prefers_open_metrics(request.header("accept"));
  FanOutLimits limits;
  limits.time = scrape_time(request);
  fan_out(fleet_.loop(), fleet_.links(), std::move(questions), limits, response,
          [hosts, response, open_metrics, slot, alive = fleet_.alive(), loop = fleet_.loop(),
           metrics = &fleet_.metrics()](std::vector<HostAnswer> answers) {
            for (std::size_t i = 0; i < answers.size(); ++i) {
              HostMetrics& host = (*hosts)[i];
              host.status = answers[i].status;
              host.up = answers[i].status != 0;
              host.complete = !answers[i].cut;
              host.body = std::move(answers[i].body);
            }
            const auto text = std::make_shared<std::string>();
            run_in_background(
                loop, [hosts, text, open_metrics] { *text = fleet_exposition(*hosts, open_metrics); },
                [text, response, open_metrics, slot, alive, metrics] {
                  if (alive.expired()) return;
                  send_data(*response, *metrics, open_metrics ? kOpenMetricsType : kTextType, *text);
                });
          });
}

}  // namespace mayfly::hubd
