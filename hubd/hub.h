// The hub: its configuration in force, its listener, what answers there.
#pragma once

#include <uv.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/http_server.h"
#include "common/loop_timer.h"
#include "hubd/audit_log.h"
#include "hubd/file_watch.h"
#include "hubd/fleet.h"
#include "hubd/fleet_loki.h"
#include "hubd/fleet_search.h"
#include "hubd/gate.h"
#include "hubd/host_links.h"
#include "hubd/hub_config.h"
#include "hubd/hub_metrics.h"
#include "hubd/listening.h"
#include "hubd/login.h"
#include "hubd/quota_endpoint.h"
#include "hubd/scraper_api.h"
#include "hubd/served_tls.h"
#include "hubd/sessions.h"

namespace mayfly::hubd {

struct HubOptions {
  std::optional<std::string> config;    // the hub's file; none: default_hub_config()
  std::optional<ListenAddress> listen;  // wins over the file's
  std::vector<int> handed;              // listening sockets from a supervisor; win over both
  std::vector<Server> servers;          // of the command line
};

/// Reads the file as Hub::start() would, with `more_drop_ins` after its own, and logs its warnings.
/// Listens nowhere. Errors: what start() would refuse.
shm::Status check_configuration(const HubOptions& options, const std::vector<std::string>& more_drop_ins);

/// Belongs to the loop's thread; the loop runs until its work is done after the destruction.
class Hub {
 public:
  /// How often the certificate's files are looked at: they are renewed without the hub's file.
  static constexpr std::chrono::seconds kTlsLook{10};

  /// Reads the configuration and listens. Errors: invalid (the configuration), busy, io (the sockets).
  static shm::Result<std::unique_ptr<Hub>> start(uv_loop_t* loop, HubOptions options);
  ~Hub();

  /// Reads the file again. A wrong one is refused as a whole, and logged; the old one stays.
  void reload();

  const HubMetrics& metrics() const { return metrics_; }
  std::vector<ListenAddress> addresses() const { return sockets_->addresses(); }
  /// One line for people.
  std::string status() const;

 private:
  Hub(uv_loop_t* loop, HubOptions options);

  shm::Result<HubConfig> load() const;
  /// Puts `config` in force, or nothing of it.
  shm::Status apply(HubConfig config);
  /// Tells the parts of the new configuration.
  void spread();
  void warn_of_listen() const;
  /// Where it listens, or would, with `config` in force.
  std::vector<ListenAddress> addresses_for(const HubConfig& config) const;
  shm::Status serve(const HubConfig& config, const ListeningSockets& sockets, const ServedTls& tls);
  void look_at_certificate();

  // hub_routes.cpp: what answers where.
  void add_routes();
  void add_page_routes();
  void add_admin_routes();
  void handle(HttpRequest request, ResponseWriterPtr response);
  void answer_text(ResponseWriter& response, std::string_view body);
  void answer_metrics(ResponseWriter& response);

  uv_loop_t* loop_;
  HubOptions options_;
  std::shared_ptr<const HubConfig> config_;
  HubMetrics metrics_;
  HttpServerCounts past_servers_;
  Sessions sessions_;
  AuditLog audit_;
  HostLinks links_;
  QuotaEndpoint quotas_;
  Fleet fleet_;
  FleetSearch search_;
  FleetLoki loki_;
  ScraperApi scraper_;
  Gate gate_;
  Login login_;
  ServedTls tls_;
  std::string tls_refused_;  // the files that were no good, not to be tried again until they change
  std::unique_ptr<ListeningSockets> sockets_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<FileWatch> watch_;
  LoopTimer tls_timer_;
};

}  // namespace mayfly::hubd
