// The hub: its configuration in force, its listener, what answers there.
#pragma once

#include <uv.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/http_server.h"
#include "hubd/file_watch.h"
#include "hubd/hub_config.h"
#include "hubd/hub_metrics.h"
#include "hubd/listening.h"
#include "hubd/quota_endpoint.h"

namespace mayfly::hubd {

struct HubOptions {
  std::optional<std::string> config;    // the hub's file; none: default_hub_config()
  std::optional<ListenAddress> listen;  // wins over the file's
  std::vector<int> handed;              // listening sockets from a supervisor; win over both
  std::vector<Server> servers;          // of the command line
};

/// Belongs to the loop's thread; the loop must run once more after the destruction.
class Hub {
 public:
  /// Reads the configuration and listens. Errors: invalid (the configuration), busy, io (the sockets).
  static shm::Result<std::unique_ptr<Hub>> start(uv_loop_t* loop, HubOptions options);

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
  /// Where it listens, or would, with `config` in force.
  std::vector<ListenAddress> addresses_for(const HubConfig& config) const;
  shm::Status serve(const HubConfig& config, const ListeningSockets& sockets);
  void handle(const HttpRequest& request, ResponseWriterPtr response);
  void answer_text(ResponseWriter& response, std::string_view type, std::string_view body);
  void answer_metrics(ResponseWriter& response);

  uv_loop_t* loop_;
  HubOptions options_;
  HubConfig config_;
  HubMetrics metrics_;
  std::uint64_t refused_by_past_servers_ = 0;
  QuotaEndpoint quotas_;
  std::unique_ptr<ListeningSockets> sockets_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<FileWatch> watch_;
};

}  // namespace mayfly::hubd
