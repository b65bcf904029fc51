#include "hubd/fleet_search.h"

#include <map>
#include <utility>
#include <vector>

#include "common/text.h"
#include "hubd/fan_out.h"
#include "hubd/search_merge.h"

namespace mayfly::hubd {
namespace {

const HttpHeaders kSearchHeaders = {{"accept", "application/x-ndjson"}, {"user-agent", "mayfly-hubd"}};

/// One search while it runs. Callbacks keep it alive.
class Search : public std::enable_shared_from_this<Search> {
 public:
  Search(const Fleet& fleet, Fleet::Slot slot, SearchQuery query, ResponseWriterPtr response)
      : loop_(fleet.loop()),
        links_(fleet.links()),
        metrics_(fleet.metrics()),
        alive_(fleet.alive()),
        slot_(std::move(slot)),
        query_(std::move(query)),
        response_(std::move(response)) {}

  void start(const std::vector<Fleet::Member>& members) {
    std::vector<HostQuestion> questions;
    for (const Fleet::Member& member : members) {
      if (query_.server && *query_.server != member.server->name) continue;
      scopes_.emplace(member.server->name, member.scope);
      questions.push_back({member.server->name, member.scope, "/api/v1/directories", "", kSearchHeaders});
    }
    const FanOutLimits limits{FleetSearch::kListTime, FleetSearch::kMaxListBytes,
                              FleetSearch::kMaxTotalBytes};
    fan_out(
        loop_, links_, std::move(questions), limits, response_,
        [self = shared_from_this()](std::vector<HostAnswer> answers) { self->listed(std::move(answers)); });
  }

 private:
  /// Reads the lists in the background: hosts say how long they are.
  void listed(std::vector<HostAnswer> answers) {
    if (alive_.expired()) return;
    const auto lists = std::make_shared<std::vector<HostAnswer>>(std::move(answers));
    run_in_background(
        loop_, [self = shared_from_this(), lists] { self->read_lists(*lists); },
        [self = shared_from_this()] { self->ask(); });
  }

  void read_lists(const std::vector<HostAnswer>& answers) {
    for (const HostAnswer& answer : answers) {
      if (answer.status != 200 || answer.cut) {
        left_out_.push_back({answer.server, "", reason_of(answer), 0});
        continue;
      }
      bool malformed = false;
      const Scope& scope = scopes_.at(answer.server);
      for (std::string& name : log_directories(answer.body, scope, malformed)) {
        if (query_.directory && *query_.directory != name) continue;
        if (parts_.size() == FleetSearch::kMaxQuestions) {
          left_out_.push_back({answer.server, name, "too_many_directories", 0});
        } else {
          parts_.push_back({answer.server, std::move(name), {}, false});
        }
      }
      if (malformed) left_out_.push_back({answer.server, "", "malformed", 0});
    }
  }

  static std::string reason_of(const HostAnswer& answer) {
    if (answer.status == 0) return answer.problem;
    return answer.status == 200 ? "too_large" : "error";
  }

  void ask() {
    if (alive_.expired() || response_->closed()) return;
    std::vector<HostQuestion> questions;
    for (const SearchPart& part : parts_) {
      questions.push_back({part.server, scopes_.at(part.server),
                           "/api/v1/logs/" + percent_encode(part.directory), query_.for_host(),
                           kSearchHeaders});
    }
    const FanOutLimits limits{FleetSearch::kSearchTime, FleetSearch::kMaxAnswerBytes,
                              FleetSearch::kMaxTotalBytes};
    fan_out(
        loop_, links_, std::move(questions), limits, response_,
        [self = shared_from_this()](std::vector<HostAnswer> answers) { self->searched(std::move(answers)); });
  }

  void searched(std::vector<HostAnswer> answers) {
    if (alive_.expired()) return;
    std::vector<SearchPart> answered;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (answers[i].status == 200) {
        parts_[i].body = std::move(answers[i].body);
        parts_[i].complete = !answers[i].cut;
        answered.push_back(std::move(parts_[i]));
      } else {
        left_out_.push_back({parts_[i].server, parts_[i].directory, reason_of(answers[i]), 0});
      }
    }
    parts_ = std::move(answered);
    run_in_background(
        loop_,
        [self = shared_from_this()] {
          self->result_ =
              merge_search(self->query_.pattern, self->query_.limit, self->parts_, self->left_out_);
        },
        [self = shared_from_this()] {
          if (self->alive_.expired()) return;
          send_data(*self->response_, self->metrics_, "application/json", self->result_);
        });
  }

  uv_loop_t* loop_;
  HostLinks& links_;
  HubMetrics& metrics_;
  std::weak_ptr<void> alive_;
  Fleet::Slot slot_;
  SearchQuery query_;
  ResponseWriterPtr response_;
  std::map<std::string, Scope> scopes_;  // by server
  std::vector<SearchPart> parts_;
  std::vector<LeftOut> left_out_;
  std::string result_;
};

}  // namespace

void FleetSearch::handle(const HttpRequest& request, const ResponseWriterPtr& response,
                         const ReaderPtr& reader) {
  HubMetrics& metrics = fleet_.metrics();
  if (request.method != "GET" && !request.is_head()) {
    return send_counted_problem(*response, metrics, 405, "method_not_allowed", "a search only reads",
                                {{"Allow", "GET, HEAD"}});
  }
  shm::Result<SearchQuery> query = parse_search_query(request.query);
  if (!query.ok()) return send_counted_problem(*response, metrics, 400, "bad_request", query.error().text);
  Fleet::Slot slot = fleet_.take_slot(*response);
  if (!slot) return;
  std::make_shared<Search>(fleet_, std::move(slot), std::move(query.value()), response)
      ->start(fleet_.members(*reader));
}

}  // namespace mayfly::hubd
