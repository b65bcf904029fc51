#include "hubd/fleet_loki.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "common/loki_answer.h"
#include "hubd/loki_listings.h"
#include "hubd/loki_sums.h"
#include "shm/clock.h"

namespace mayfly::hubd {

using loki::Endpoint;

struct FleetLoki::Call {
  const HttpRequest& request;
  const ResponseWriterPtr& response;
  const Reader& reader;
  FormFields fields;
  std::uint64_t now_ns;
};

/// One question while it waits, or is asked.
struct FleetLoki::Run {
  std::vector<HostQuestion> questions;
  std::vector<LokiHostPart> parts;
  Merge merge;
  ResponseWriterPtr response;
  Turns::Turn turn;
  std::optional<shm::Result<std::string>> made;
};

namespace {

constexpr std::size_t kMaxProblemText = 200;
constexpr std::size_t kMaxNamedServers = 10;

/// What a host said instead of an answer, or why it said nothing.
std::string reason_for(const LokiHostPart& part) {
  if (part.status == 0) return part.problem;
  const std::string text = part.body.substr(0, std::min(part.body.find('\n'), kMaxProblemText));
  return text.empty() ? "status " + std::to_string(part.status) : text;
}

/// The answers, where they belong.
void take_answers(std::vector<LokiHostPart>& parts, std::vector<HostAnswer> answers) {
  for (std::size_t i = 0; i < answers.size(); ++i) {
    parts[i].status = answers[i].cut ? 0 : answers[i].status;
    parts[i].body = std::move(answers[i].body);
    parts[i].problem = answers[i].cut ? "too_large" : std::move(answers[i].problem);
  }
}

/// One line a reason: "left out (not_connected): db-1, web-2 and 7 more".
loki::Warnings warnings_of(const std::vector<LokiHostPart>& parts) {
  std::map<std::string, std::set<std::string>> left_out;
  for (const auto& part : parts) {
    if (part.status != 200) left_out[reason_for(part)].insert(part.server);
  }
  loki::Warnings warnings;
  for (const auto& [reason, servers] : left_out) {
    std::string line = "left out (" + reason + "):";
    std::size_t named = 0;
    for (const auto& server : servers) {
      if (named == kMaxNamedServers) break;
      line += (named++ == 0 ? " " : ", ") + server;
    }
    if (named < servers.size()) line += " and " + std::to_string(servers.size() - named) + " more";
    if (warnings.size() < kMaxNamedServers) warnings.push_back(std::move(line));
  }
  return warnings;
}

/// The error to answer with, where there is nothing else: no host answered, and one said why.
const LokiHostPart* refusal_of(const std::vector<LokiHostPart>& parts) {
  const LokiHostPart* refusal = nullptr;
  for (const auto& part : parts) {
    if (part.status == 200) return nullptr;
    if (part.status != 0 && refusal == nullptr) refusal = &part;
  }
  return refusal;
}

void append_all(loki::Warnings& warnings, std::vector<std::string> more) {
  std::move(more.begin(), more.end(), std::back_inserter(warnings));
}

}  // namespace

void FleetLoki::handle(const HttpRequest& request, const ResponseWriterPtr& response,
                       const ReaderPtr& reader) {
  const loki::Target target = loki::find_target(request.path);
  if (target.endpoint == Endpoint::none) return loki::send_error(*response, 404, "404 page not found");
  auto fields = FormFields::of(request);
  if (!fields.ok()) return loki::send_error(*response, 400, fields.error().text);
  const Call call{request, response, *reader, std::move(fields.value()), shm::system_clocks().wall_ns()};
  switch (target.endpoint) {
    case Endpoint::buildinfo:
      return loki::send_json(*response, loki::buildinfo_json());
    case Endpoint::format_query:
      return loki::send_formatted_query(*response, call.fields.get("query"));
    case Endpoint::query:
    case Endpoint::query_range:
      return answer_question(call, target.endpoint == Endpoint::query);
    case Endpoint::volume:
    case Endpoint::volume_range:
      return answer_volume(call, target.endpoint == Endpoint::volume_range);
    case Endpoint::tail:
      return tails_.open(request, response, call.fields, reader);
    default:
      return answer_listing(call, target);
  }
}

void FleetLoki::answer_listing(const Call& call, const loki::Target& target) {
  const bool of_series = target.endpoint == Endpoint::series;
  FormFields fields = call.fields;
  if (of_series) {
    for (auto& selector : fields.all("match")) fields.add("match[]", std::move(selector));
  }
  const auto question = loki::read_listing_question(fields, of_series ? "match[]" : "query", call.now_ns);
  if (!question.ok()) return loki::send_error(*call.response, 400, question.error().text);
  const auto members = fleet_.members(call.reader);
  if (target.endpoint == Endpoint::label_values && target.label == kServerLabel) {
    std::vector<std::string> names;
    for (const auto& member : members) {
      const std::string& name = member.server->name;
      if (fleet_.links().state(name).connected && may_fit(question.value(), name)) names.push_back(name);
    }
    return loki::send_json(*call.response, loki::names_json(names, {}));
  }
  run(call.response, plan_listing(question.value(), target, members),
      [target](const std::vector<LokiHostPart>& parts, loki::Warnings warnings) {
        return shm::Result<std::string>(merge_listing(target, parts, std::move(warnings)));
      });
}

void FleetLoki::answer_question(const Call& call, bool instant) {
  const auto question = loki::read_question(call.request, call.fields, instant, call.now_ns);
  if (!question.ok()) return loki::send_error(*call.response, 400, question.error().text);
  if (std::holds_alternative<logql::LogQuery>(question.value().query))
    return answer_logs(call, question.value());
  answer_samples(call, question.value());
}

void FleetLoki::answer_logs(const Call& call, const loki::Question& question) {
  run(call.response, plan_logs(question, fleet_.members(call.reader)),
      [question](const std::vector<LokiHostPart>& parts, loki::Warnings warnings) {
        std::vector<LokiHostStreams> hosts;
        for (const auto& part : parts) {
          if (part.status != 200) continue;
          auto streams = read_host_streams(part);
          if (!streams) {
            warnings.push_back(malformed_answer(part));
            continue;
          }
          if (streams->cut) warnings.push_back(part.server + " has more than it could send at once");
          hosts.push_back(std::move(*streams));
        }
        const MergedStreams merged =
            merge_streams(std::move(hosts), question.limit, question.forward, question.interval_ns);
        loki::Stats stats;
        stats.entries = merged.entries;
        return shm::Result<std::string>(
            loki::streams_json(merged.streams, question.categorize, question.forward, stats, warnings));
      });
}

void FleetLoki::answer_samples(const Call& call, const loki::Question& question) {
  auto plan = plan_samples(question, fleet_.members(call.reader));
  if (!plan.ok()) return loki::send_error(*call.response, 400, plan.error().text);
  const std::size_t leaves = plan.value().leaves.size();
  run(call.response, std::move(plan.value()),
      [question, leaves](const std::vector<LokiHostPart>& parts,
                         loki::Warnings warnings) -> shm::Result<std::string> {
        std::vector<std::string> problems;
        const auto value = evaluate_parts(question, leaves, parts, problems);
        if (!value.ok()) return value.error();
        append_all(warnings, std::move(problems));
        return loki::value_json(value.value(), question.grid, question.instant, {}, warnings);
      });
}

void FleetLoki::answer_volume(const Call& call, bool ranged) {
  const auto question = loki::read_volume_question(call.fields, ranged, call.now_ns);
  if (!question.ok()) return loki::send_error(*call.response, 400, question.error().text);
  logql::Grid grid = question.value().grid;
  if (!ranged) grid.start_ns = static_cast<std::int64_t>(question.value().span.end_ns);
  run(call.response, plan_volume(question.value(), ranged, fleet_.members(call.reader)),
      [question = question.value(), grid, ranged](const std::vector<LokiHostPart>& parts,
                                                  loki::Warnings warnings) {
        std::vector<std::string> problems;
        const logql::Matrix matrix = sum_volumes(question, ranged, parts, problems);
        append_all(warnings, std::move(problems));
        return shm::Result<std::string>(loki::value_json(matrix, grid, !ranged, {}, warnings));
      });
}

void FleetLoki::run(const ResponseWriterPtr& response, LokiPlan plan, Merge merge) {
  const auto state = std::make_shared<Run>();
  state->questions = std::move(plan.questions);
  state->parts = std::move(plan.parts);
  state->merge = std::move(merge);
  state->response = response;
  const bool taken = turns_.take([this, state](Turns::Turn turn) {
    state->turn = std::move(turn);
    if (!state->response->closed()) ask(state);
  });
  if (!taken) loki::send_error(*response, 429, "too many outstanding requests");
}

void FleetLoki::ask(const std::shared_ptr<Run>& state) {
  const FanOutLimits limits{kAnswerTime, kMaxAnswerBytes, kMaxTotalBytes};
  fan_out(fleet_.loop(), fleet_.links(), std::move(state->questions), limits, state->response,
          [state, loop = fleet_.loop(), alive = fleet_.alive()](std::vector<HostAnswer> answers) {
            if (alive.expired()) return;
            take_answers(state->parts, std::move(answers));
            if (const LokiHostPart* refusal = refusal_of(state->parts)) {
              const bool own = refusal->status == 400 || refusal->status == 429 || refusal->status == 504;
              return loki::send_error(*state->response, own ? refusal->status : 502,
                                      refusal->server + ": " + reason_for(*refusal));
            }
            run_in_background(
                loop, [state] { state->made.emplace(state->merge(state->parts, warnings_of(state->parts))); },
                [state] {
                  if (!state->made->ok()) {
                    return loki::send_error(*state->response, 400, state->made->error().text);
                  }
                  loki::send_json(*state->response, state->made->value());
                });
          });
}

}  // namespace mayfly::hubd
