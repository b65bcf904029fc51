// The tails that are open.
#pragma once

#include <uv.h>

#include <memory>
#include <unordered_set>
#include <utility>

#include "common/form_fields.h"
#include "common/http_message.h"
#include "relayd/loki_jobs.h"
#include "relayd/loki_tail.h"

namespace mayfly::relayd {

/// Belongs to the loop's thread. Ends them all with itself.
class LokiTails {
 public:
  /// What `parts` refers to, and `jobs`, outlive it.
  LokiTails(LokiTail::Parts parts, LokiJobs& jobs)
      : parts_(std::move(parts)), jobs_(jobs), open_(std::make_shared<Open>()) {}
  ~LokiTails();
  LokiTails(const LokiTails&) = delete;
  LokiTails& operator=(const LokiTails&) = delete;

  /// Answers /loki/api/v1/tail.
  void open(const HttpRequest& request, const ResponseWriterPtr& response, const FormFields& fields,
            const ReadScope& scope);

 private:
  using Open = std::unordered_set<std::shared_ptr<LokiTail>>;

  void load_history(const std::shared_ptr<LokiTail>& tail, const ReadScope& scope,
                    const loki::TailQuestion& question, LokiTailPlaces places,
                    const LokiJobs::Cancelled& cancelled);

  LokiTail::Parts parts_;
  LokiJobs& jobs_;
  std::shared_ptr<Open> open_;
};

}  // namespace mayfly::relayd
