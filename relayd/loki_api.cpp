#include "relayd/loki_api.h"

#include <optional>
#include <utility>

#include "common/loki_answer.h"
#include "relayd/loki_limits.h"
#include "relayd/loki_listing.h"
#include "relayd/loki_logs.h"
#include "relayd/loki_samples.h"

namespace mayfly::relayd {

using loki::Endpoint;

struct LokiApi::Call {
  const HttpRequest& request;
  const ResponseWriterPtr& response;
  const ReadScope& scope;
  FormFields fields;
  std::uint64_t now_ns;
};

namespace {

int status_of(const shm::Error& error) { return error.code == shm::Errc::busy ? 504 : 400; }

void send_failure(ResponseWriter& response, const shm::Error& error) {
  loki::send_error(response, status_of(error), error.text);
}

loki::Stats stats_of(const LokiBudget& budget, std::uint64_t entries) {
  return {budget.bytes(), budget.lines(), entries, budget.seconds(), budget.queued_seconds()};
}

/// Runs `work` on the pool, and sends what `show` makes of its result.
template <typename T>
void answer_with(LokiJobs& jobs, const std::shared_ptr<LokiCounts>& counts, const ReadScope& scope,
                 const ResponseWriterPtr& response, std::function<shm::Result<T>(LokiScan&)> work,
                 std::function<std::string(const T&, const LokiBudget&)> show) {
  ++counts->queries;
  const auto cancelled = std::make_shared<std::atomic<bool>>(false);
  response->on_closed([cancelled] { cancelled->store(true); });
  // The answer's text is made on the pool's thread as well: it may be long.
  const auto made = std::make_shared<std::optional<shm::Result<std::string>>>();
  jobs.run(
      scope, cancelled,
      [made, work = std::move(work), show = std::move(show)](LokiScan& scan) {
        const auto result = work(scan);
        if (!result.ok()) {
          made->emplace(result.error());
        } else {
          made->emplace(show(result.value(), scan.budget()));
        }
      },
      [made, response, counts](LokiJobs::Outcome outcome) {
        if (outcome == LokiJobs::Outcome::no_segment) {
          return loki::send_error(*response, 503, "there is no data segment");
        }
        if (outcome == LokiJobs::Outcome::too_many) {
          ++counts->too_many;
          return loki::send_error(*response, 429, "too many outstanding requests");
        }
        if (!(*made)->ok()) {
          const shm::Errc code = (*made)->error().code;
          if (code == shm::Errc::busy) ++counts->too_long;
          if (code == shm::Errc::no_space) ++counts->too_much;
          return send_failure(*response, (*made)->error());
        }
        loki::send_json(*response, (*made)->value());
      });
}

}  // namespace

void LokiApi::handle(const HttpRequest& request, const ResponseWriterPtr& response, const ReadScope& scope) {
  if (request.method != "GET" && request.method != "HEAD" && request.method != "POST") {
    return send_problem(*response, 405, "method_not_allowed", "reading is done with GET or POST",
                        {{"Allow", "GET, HEAD, POST"}});
  }
  const loki::Target target = loki::find_target(request.path);
  if (target.endpoint == Endpoint::none) return loki::send_error(*response, 404, "404 page not found");
  auto fields = FormFields::of(request);
  if (!fields.ok()) return send_failure(*response, fields.error());
  const Call call{request, response, scope, std::move(fields.value()), segment_.clocks().wall_ns()};
  switch (target.endpoint) {
    case Endpoint::buildinfo:
      return loki::send_json(*response, loki::buildinfo_json());
    case Endpoint::format_query:
      return loki::send_formatted_query(*response, call.fields.get("query"));
    case Endpoint::labels:
    case Endpoint::label_values:
      return answer_listing(call, target);
    case Endpoint::series:
      return answer_series(call);
    case Endpoint::query:
    case Endpoint::query_range:
      return answer_question(call, target.endpoint == Endpoint::query);
    case Endpoint::index_stats:
      return answer_stats(call);
    case Endpoint::volume:
    case Endpoint::volume_range:
      return answer_volume(call, target.endpoint == Endpoint::volume_range);
    default:
      return tails_.open(request, response, call.fields, scope);
  }
}

void LokiApi::answer_listing(const Call& call, const loki::Target& target) {
  auto question = loki::read_listing_question(call.fields, "query", call.now_ns);
  if (!question.ok()) return send_failure(*call.response, question.error());
  answer_with<LokiNames>(
      jobs_, counts_, call.scope, call.response,
      [question = std::move(question.value()), target](LokiScan& scan) {
        return target.endpoint == Endpoint::labels ? list_labels(scan, question)
                                                   : list_label_values(scan, question, target.label);
      },
      [counts = counts_](const LokiNames& list, const LokiBudget&) {
        if (!list.warnings.empty()) ++counts->cut;
        return loki::names_json(list.names, list.warnings);
      });
}

void LokiApi::answer_series(const Call& call) {
  auto fields = call.fields;
  for (auto& selector : fields.all("match")) fields.add("match[]", std::move(selector));
  auto question = loki::read_listing_question(fields, "match[]", call.now_ns);
  if (!question.ok()) return send_failure(*call.response, question.error());
  answer_with<LokiSeries>(
      jobs_, counts_, call.scope, call.response,
      [question = std::move(question.value())](LokiScan& scan) { return list_series(scan, question); },
      [counts = counts_](const LokiSeries& list, const LokiBudget&) {
        if (!list.warnings.empty()) ++counts->cut;
        std::vector<logql::Labels> series;
        for (const auto& [labels, totals] : list.streams) series.push_back(labels);
        return loki::series_json(series, list.warnings);
      });
}

void LokiApi::answer_question(const Call& call, bool instant) {
  const auto question = loki::read_question(call.request, call.fields, instant, call.now_ns);
  if (!question.ok()) return send_failure(*call.response, question.error());
  if (std::holds_alternative<logql::LogQuery>(question.value().query))
    return answer_logs(call, question.value());
  answer_samples(call, question.value());
}

void LokiApi::answer_logs(const Call& call, const loki::Question& question) {
  const LokiLogWish wish{question.span, question.limit, question.forward, question.interval_ns};
  answer_with<LokiLogAnswer>(
      jobs_, counts_, call.scope, call.response,
      [query = std::get<logql::LogQuery>(question.query), wish](LokiScan& scan) {
        return run_log_query(scan, query, wish, scan.directories(query.selector));
      },
      [categorize = question.categorize, forward = question.forward, counts = counts_](
          const LokiLogAnswer& answer, const LokiBudget& budget) {
        if (!answer.warnings.empty()) ++counts->cut;
        return loki::streams_json(answer.streams, categorize, forward, stats_of(budget, answer.entries),
                                  answer.warnings);
      });
}

void LokiApi::answer_samples(const Call& call, const loki::Question& question) {
  answer_with<logql::Value>(
      jobs_, counts_, call.scope, call.response,
      [expr = std::get<logql::ExprPtr>(question.query), grid = question.grid](LokiScan& scan) {
        return run_metric_query(scan, *expr, grid);
      },
      [grid = question.grid, instant = question.instant](const logql::Value& value,
                                                         const LokiBudget& budget) {
        return loki::value_json(value, grid, instant, stats_of(budget, 0), {});
      });
}

void LokiApi::answer_stats(const Call& call) {
  auto question = loki::read_listing_question(call.fields, "query", call.now_ns);
  if (!question.ok()) return send_failure(*call.response, question.error());
  answer_with<LokiIndexStats>(
      jobs_, counts_, call.scope, call.response,
      [question = std::move(question.value())](LokiScan& scan) { return count_index(scan, question); },
      [](const LokiIndexStats& stats, const LokiBudget&) {
        return loki::index_stats_json(stats.streams, stats.directories, stats.entries, stats.bytes);
      });
}

void LokiApi::answer_volume(const Call& call, bool ranged) {
  auto question = loki::read_volume_question(call.fields, ranged, call.now_ns);
  if (!question.ok()) return send_failure(*call.response, question.error());
  logql::Grid grid = question.value().grid;
  if (!ranged) grid = logql::Grid{static_cast<std::int64_t>(question.value().span.end_ns), 1, 1};
  answer_with<logql::Matrix>(
      jobs_, counts_, call.scope, call.response,
      [question = std::move(question.value()), ranged](LokiScan& scan) {
        return measure_volume(scan, question, ranged);
      },
      [grid, ranged](const logql::Matrix& matrix, const LokiBudget& budget) {
        return loki::value_json(matrix, grid, !ranged, stats_of(budget, 0), {});
      });
}

}  // namespace mayfly::relayd
