#include "relayd/loki_tails.h"

#include <optional>
#include <utility>

#include "relayd/loki_limits.h"
#include "relayd/loki_logs.h"

namespace mayfly::relayd {
namespace {

/// What there was when the tail began.
LokiTailPlaces places_now(const SegmentAccess& segment, const ReadScope& scope,
                          const logql::LogQuery& query) {
  LokiTailPlaces places;
  const auto reader = segment.reader(scope);
  if (!reader) return places;
  places.instance = segment.instance();
  places.directories = LokiScan::directories(*reader, query.selector);
  return places;
}

}  // namespace

LokiTails::~LokiTails() {
  for (const auto& tail : std::exchange(*open_, {})) tail->end("the relay goes away");
}

void LokiTails::open(const HttpRequest& request, const ResponseWriterPtr& response, const FormFields& fields,
                     const ReadScope& scope) {
  const auto question = loki::read_tail_question(fields, parts_.segment.clocks().wall_ns());
  if (!question.ok()) return loki::send_error(*response, 400, question.error().text);
  if (open_->size() >= kLokiTails) {
    ++parts_.counts->too_many;
    return loki::send_error(
        *response, 429, "max concurrent tail requests limit exceeded (" + std::to_string(kLokiTails) + ")");
  }
  auto output = loki::open_tail_output(request, response);
  if (output == nullptr) return;
  const auto place = std::make_shared<std::weak_ptr<LokiTail>>();
  const auto cancelled = std::make_shared<std::atomic<bool>>(false);
  const auto tail = std::make_shared<LokiTail>(parts_, scope, question.value(), std::move(output),
                                               [open = std::weak_ptr(open_), place, cancelled] {
                                                 cancelled->store(true);
                                                 const auto all = open.lock();
                                                 if (all) all->erase(place->lock());
                                               });
  *place = tail;
  open_->insert(tail);
  tail->watch_reader();
  // Where it follows from is fixed here: what is written once the reader has its answer's head comes
  // after the history, however long that takes to read.
  auto places = places_now(parts_.segment, scope, question.value().query);
  if (question.value().limit == 0 || places.directories.empty()) return tail->begin({}, places);
  load_history(tail, scope, question.value(), std::move(places), cancelled);
}

void LokiTails::load_history(const std::shared_ptr<LokiTail>& tail, const ReadScope& scope,
                             const loki::TailQuestion& question, LokiTailPlaces places,
                             const LokiJobs::Cancelled& cancelled) {
  LokiLogWish wish;
  wish.span = {question.start_ns, static_cast<std::uint64_t>(logql::kMaxTimeNs)};
  wish.limit = question.limit;
  const auto history = std::make_shared<std::optional<shm::Result<LokiLogAnswer>>>();
  const auto work = [history, wish, query = question.query, places](LokiScan& scan) {
    // Another segment by now: the followers will say so.
    const bool same = scan.reader().info().instance == places.instance;
    history->emplace(same ? run_log_query(scan, query, wish, places.directories) : LokiLogAnswer());
  };
  const auto done = [history, places, weak = std::weak_ptr(tail),
                     open = std::weak_ptr(open_)](LokiJobs::Outcome outcome) {
    const auto self = weak.lock();
    if (!self) return;
    if (outcome == LokiJobs::Outcome::no_segment) return self->begin({}, places);
    const bool failed = outcome == LokiJobs::Outcome::too_many || !(*history)->ok();
    if (!failed) return self->begin((*history)->value(), places);
    const auto all = open.lock();
    if (all) all->erase(self);
    self->end(outcome == LokiJobs::Outcome::too_many ? "too many outstanding requests"
                                                     : "the history took too long");
  };
  jobs_.run(scope, cancelled, work, done);
}

}  // namespace mayfly::relayd
