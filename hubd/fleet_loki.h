// Loki's HTTP API over all hosts, with the label `server`. docs/loki.md
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/form_fields.h"
#include "common/http_message.h"
#include "common/loki_request.h"
#include "hubd/fleet.h"
#include "hubd/loki_fleet_tail.h"
#include "hubd/loki_plan.h"
#include "hubd/turns.h"

namespace mayfly::hubd {

/// Belongs to the loop's thread. `fleet` outlives it. The statuses of its answers are the gate's to count.
class FleetLoki {
 public:
  static constexpr std::chrono::milliseconds kAnswerTime{12'000};  // hosts give up after 10 s
  static constexpr std::size_t kMaxAnswerBytes = 8 << 20;          // of one host
  static constexpr std::size_t kMaxTotalBytes = 32 << 20;          // of all

  static constexpr std::size_t kRunning = 4;   // questions at once
  static constexpr std::size_t kWaiting = 64;  // behind them; more get 429

  explicit FleetLoki(Fleet& fleet) : fleet_(fleet), tails_(fleet), turns_(kRunning, kWaiting) {}

  /// A request whose loki::is_loki_path().
  void handle(const HttpRequest& request, const ResponseWriterPtr& response, const ReaderPtr& reader);

 private:
  struct Call;
  /// What is made of the hosts' answers, in the background: the JSON to send.
  using Merge = std::function<shm::Result<std::string>(const std::vector<LokiHostPart>& parts,
                                                       loki::Warnings warnings)>;

  void answer_listing(const Call& call, const loki::Target& target);
  void answer_question(const Call& call, bool instant);
  void answer_logs(const Call& call, const loki::Question& question);
  void answer_samples(const Call& call, const loki::Question& question);
  void answer_volume(const Call& call, bool ranged);
  struct Run;
  void run(const ResponseWriterPtr& response, LokiPlan plan, Merge merge);
  void ask(const std::shared_ptr<Run>& state);

  Fleet& fleet_;
  LokiFleetTails tails_;
  Turns turns_;
};

}  // namespace mayfly::hubd
