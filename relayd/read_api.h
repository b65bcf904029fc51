// The read API of the contract: what is asked, and who answers it.
#pragma once

#include "common/http_message.h"
#include "relayd/api_parts.h"
#include "relayd/loki_api.h"

namespace mayfly::relayd {

/// Belongs to the loop's thread. Takes requests of any origin: a listener, or a tunnel.
class ReadApi {
 public:
  explicit ReadApi(ApiParts parts)
      : parts_(std::move(parts)), loki_(parts_.loop, parts_.segment, parts_.follow) {}

  void handle(HttpRequest request, ResponseWriterPtr response);
  /// Why not ready; empty: the segment is attached and quotas are in force.
  std::string not_ready() const;

 private:
  void route(ApiCall call) const;
  void answer_directories(const ApiCall& call) const;
  void answer_metrics(const ApiCall& call) const;
  void answer_ready(const ApiCall& call) const;

  ApiParts parts_;
  LokiApi loki_;
};

}  // namespace mayfly::relayd
