// Loki's HTTP API over one host: what is asked, and who answers it. docs/loki.md
#pragma once

#include <uv.h>

#include <memory>

#include "common/http_message.h"
#include "common/loki_request.h"
#include "relayd/follow_hub.h"
#include "relayd/loki_counts.h"
#include "relayd/loki_jobs.h"
#include "relayd/loki_tails.h"

namespace mayfly::relayd {

/// Belongs to the loop's thread.
class LokiApi {
 public:
  /// `follow` outlives it.
  LokiApi(uv_loop_t* loop, SegmentAccess segment, FollowHub& follow)
      : segment_(segment),
        counts_(std::make_shared<LokiCounts>()),
        jobs_(segment),
        tails_({loop, segment, follow, counts_}, jobs_) {}

  /// A request whose path is_loki_path(). Any method.
  void handle(const HttpRequest& request, const ResponseWriterPtr& response, const ReadScope& scope);

  std::shared_ptr<const LokiCounts> counts() const { return counts_; }

 private:
  struct Call;
  void answer_listing(const Call& call, const loki::Target& target);
  void answer_series(const Call& call);
  void answer_question(const Call& call, bool instant);
  void answer_logs(const Call& call, const loki::Question& question);
  void answer_samples(const Call& call, const loki::Question& question);
  void answer_stats(const Call& call);
  void answer_volume(const Call& call, bool ranged);

  SegmentAccess segment_;
  std::shared_ptr<LokiCounts> counts_;
  LokiJobs jobs_;
  LokiTails tails_;
};

}  // namespace mayfly::relayd
