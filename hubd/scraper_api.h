// What programs read at the hub (docs/fleet.md): the list of servers, all hosts' metrics at once,
// and where Prometheus finds each one's.
#pragma once

#include <memory>

#include "common/http_message.h"
#include "hubd/fleet.h"

namespace mayfly::hubd {

/// Belongs to the loop's thread. `fleet` outlives it.
class ScraperApi {
 public:
  explicit ScraperApi(Fleet& fleet) : fleet_(fleet) {}

  void set_config(std::shared_ptr<const HubConfig> config) { config_ = std::move(config); }

  /// Answers a GET or HEAD below /scraper/: `v1/` and `api/` are the same. What lies below
  /// `server/` is not for it, but for HostLinks::forward().
  void handle(const HttpRequest& request, const ResponseWriterPtr& response, const ReaderPtr& reader);

 private:
  void answer_server_list(ResponseWriter& response, const Reader& reader);
  void answer_discovery(const HttpRequest& request, ResponseWriter& response, const Reader& reader);
  void answer_metrics(const HttpRequest& request, const ResponseWriterPtr& response, const Reader& reader);

  Fleet& fleet_;
  std::shared_ptr<const HubConfig> config_;
};

}  // namespace mayfly::hubd
