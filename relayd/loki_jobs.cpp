#include "relayd/loki_jobs.h"

#include <deque>
#include <utility>

#include "relayd/loki_limits.h"

namespace mayfly::relayd {

struct LokiJobs::Job {
  ReadScope scope;
  Cancelled cancelled;
  Work work;
  Done done;
  std::chrono::steady_clock::time_point queued_at = std::chrono::steady_clock::now();
  bool no_segment = false;
};

struct LokiJobs::State {
  SegmentAccess segment;
  std::size_t running = 0;
  std::deque<std::shared_ptr<Job>> waiting;
};

LokiJobs::LokiJobs(SegmentAccess segment) : state_(std::make_shared<State>(State{segment, 0, {}})) {}

LokiJobs::~LokiJobs() { state_->waiting.clear(); }

void LokiJobs::run(const ReadScope& scope, Cancelled cancelled, Work work, Done done) {
  if (state_->waiting.size() >= kLokiWaiting) return done(Outcome::too_many);
  state_->waiting.push_back(
      std::make_shared<Job>(Job{scope, std::move(cancelled), std::move(work), std::move(done)}));
  start_next(state_);
}

void LokiJobs::start_next(const std::shared_ptr<State>& state) {
  while (state->running < kLokiRunning && !state->waiting.empty()) {
    const auto job = std::move(state->waiting.front());
    state->waiting.pop_front();
    if (!job->cancelled->load()) start(state, job);
  }
}

void LokiJobs::start(const std::shared_ptr<State>& state, const std::shared_ptr<Job>& job) {
  ++state->running;
  state->segment.run(
      job->scope,
      [job](const ScopedReader* reader) {
        job->no_segment = reader == nullptr;
        if (job->no_segment || job->cancelled->load()) return;
        const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - job->queued_at;
        LokiBudget budget(job->cancelled, kLokiScanBytes, kLokiScanTime, waited.count());
        LokiScan scan(*reader, budget);
        job->work(scan);
      },
      [weak = std::weak_ptr(state), job] {
        const auto self = weak.lock();
        if (!self) return;
        --self->running;
        if (!job->cancelled->load()) job->done(job->no_segment ? Outcome::no_segment : Outcome::ran);
        start_next(self);
      });
}

}  // namespace mayfly::relayd
