// GET /mayfly/v1/quotas/{server} (docs/quota-protocol.md).
#pragma once

#include <uv.h>

#include <chrono>
#include <memory>
#include <string_view>

#include "common/http_message.h"
#include "hubd/failed_keys.h"
#include "hubd/hub_metrics.h"
#include "hubd/parked_polls.h"
#include "hubd/quota_book.h"

namespace mayfly::hubd {

/// Belongs to the loop's thread. `loop` and `metrics` outlive it.
class QuotaEndpoint {
 public:
  static constexpr std::string_view kPrefix = "/mayfly/v1/quotas/";
  static constexpr std::chrono::seconds kMaxWait{60};

  QuotaEndpoint(uv_loop_t* loop, HubMetrics& metrics);

  /// Puts `book` in force and answers at once whom it concerns.
  void set_book(std::shared_ptr<const QuotaBook> book);
  /// Answers a request whose path begins with kPrefix, now or within kMaxWait.
  void handle(const HttpRequest& request, ResponseWriterPtr response);
  std::size_t waiting() const { return parked_.size(); }

 private:
  bool check_tries(const HttpRequest& request, const std::string& server, ResponseWriter& response);
  void refuse_key(const HttpRequest& request, const std::string& server, ResponseWriter& response);
  void answer_not_modified(ResponseWriter& response, const std::string& etag);
  void answer_document(ResponseWriter& response, const QuotaDocument& document);
  void problem(ResponseWriter& response, int status, std::string_view code, std::string_view detail,
               HttpHeaders more = {});

  uv_loop_t* loop_;
  HubMetrics& metrics_;
  std::shared_ptr<const QuotaBook> book_;
  FailedKeys failed_keys_;
  ParkedPolls parked_;
};

}  // namespace mayfly::hubd
