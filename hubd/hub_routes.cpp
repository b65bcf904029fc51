// What answers where. Who may have it is the gate's business.
#include <utility>

#include "hubd/admin_pages.h"
#include "hubd/hub.h"
#include "hubd/page.h"

namespace mayfly::hubd {
namespace {

HttpHeaders plain_headers(std::string_view type) {
  return {{"Content-Type", std::string(type)},
          {"Cache-Control", "no-store"},
          {"X-Content-Type-Options", "nosniff"}};
}

}  // namespace

void Hub::add_routes() {
  add_page_routes();
  add_admin_routes();

  Route search{.path = "/api/v1/search", .counted = false};
  search.handler = [this](const HttpRequest& request, const ResponseWriterPtr& response,
                          const ReaderPtr& reader) { search_.handle(request, response, reader); };
  gate_.add(std::move(search));

  Route loki{.path = std::string(loki::kRoot), .and_below = true, .takes_posts = true};
  loki.handler = [this](const HttpRequest& request, const ResponseWriterPtr& response,
                        const ReaderPtr& reader) { loki_.handle(request, response, reader); };
  gate_.add(std::move(loki));

  Route scraper{
      .path = "/scraper/", .and_below = true, .surface = Route::Surface::programs, .counted = false};
  scraper.handler = [this](const HttpRequest& request, const ResponseWriterPtr& response,
                           const ReaderPtr& reader) { scraper_.handle(request, response, reader); };
  gate_.add(std::move(scraper));

  // The hub's own counters, none of which names a server: for people and programs alike.
  Route metrics{.path = "/metrics", .noted = false};
  metrics.handler = [this](const HttpRequest&, const ResponseWriterPtr& response, const ReaderPtr&) {
    answer_metrics(*response);
  };
  gate_.add(std::move(metrics));
}

void Hub::add_page_routes() {
  const auto leads_to = [](std::string_view where) {
    return [where](const HttpRequest&, const ResponseWriterPtr& response, const ReaderPtr&) {
      response->send(307, {{"Location", std::string(where)}, {"Cache-Control", "no-store"}}, "");
    };
  };
  gate_.add({.path = "/", .page = true, .noted = false, .handler = leads_to(Login::kHome)});
  gate_.add({.path = "/frontend/servers", .page = true, .noted = false, .handler = leads_to(Login::kHome)});

  Route servers{.path = "/frontend/servers/", .page = true, .noted = false};
  servers.handler = [](const HttpRequest& request, const ResponseWriterPtr& response, const ReaderPtr&) {
    answer_servers_page(request, *response);
  };
  gate_.add(std::move(servers));
  gate_.set_server_page([](const HttpRequest& request, const ResponseWriterPtr& response, const ReaderPtr&) {
    answer_server_page(request, *response);
  });

  Route server_list{.path = "/api/v1/servers", .noted = false};
  server_list.handler = [this](const HttpRequest& request, const ResponseWriterPtr& response,
                               const ReaderPtr& reader) {
    const auto state_of = [this](const std::string& server) { return links_.state(server); };
    answer_servers(*config_, state_of, request, *response, *reader);
  };
  gate_.add(std::move(server_list));
}

void Hub::add_admin_routes() {
  Route audit{.path = "/frontend/audit_log", .page = true, .administers = true, .noted = false};
  audit.handler = [this](const HttpRequest& request, const ResponseWriterPtr& response, const ReaderPtr&) {
    answer_audit_log(request, *response, audit_.newest_first());
  };
  gate_.add(std::move(audit));

  Route strangers{.path = "/frontend/unregistered_servers", .page = true, .administers = true};
  strangers.handler = [this](const HttpRequest& request, const ResponseWriterPtr& response,
                             const ReaderPtr&) { answer_strangers(request, *response, links_.strangers()); };
  gate_.add(std::move(strangers));
}

void Hub::handle(HttpRequest request, ResponseWriterPtr response) {
  if (HostLinks::is_tunnel(request)) return links_.handle_tunnel(std::move(request), std::move(response));
  if (std::string_view(request.path).starts_with(QuotaEndpoint::kPrefix)) {
    return quotas_.handle(request, std::move(response));
  }
  const bool reads = request.method == "GET" || request.is_head();
  if (reads && request.path == "/healthz") return answer_text(*response, "ok\n");
  if (reads && (request.path == "/readyz" || request.path == "/ready")) {
    return answer_text(*response, metrics_.configuration_ok
                                      ? "ready\n"
                                      : "ready; the changed file was refused, what was in force stays\n");
  }
  if (is_page_asset(request)) return answer_page_asset(request, *response);
  if (Login::takes(request)) return login_.handle(std::move(request), std::move(response));
  gate_.handle(std::move(request), std::move(response));
}

void Hub::answer_text(ResponseWriter& response, std::string_view body) {
  ++metrics_.answers[200];
  response.send(200, plain_headers("text/plain; charset=utf-8"), body);
}

void Hub::answer_metrics(ResponseWriter& response) {
  metrics_.server = server_->counts();
  metrics_.server += past_servers_;
  metrics_.waiting_polls = quotas_.waiting();
  metrics_.access.sessions = sessions_.size();
  metrics_.access.open_reads = gate_.open_reads();
  response.send(200, plain_headers("text/plain; version=0.0.4; charset=utf-8"), metrics_.render());
}

}  // namespace mayfly::hubd
