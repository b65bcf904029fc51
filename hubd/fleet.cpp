#include "hubd/fleet.h"

#include <algorithm>
#include <utility>

namespace mayfly::hubd {
namespace {

struct BackgroundWork {
  uv_work_t request;
  std::function<void()> work;
  std::function<void()> done;
};

}  // namespace

std::vector<Fleet::Member> Fleet::members(const Reader& reader) const {
  std::vector<Member> members;
  if (!config_) return members;
  for (const Server& server : config_->servers) {
    Scope scope = scope_for(reader, server.name);
    if (!scope.nothing()) members.push_back({&server, std::move(scope)});
  }
  std::sort(members.begin(), members.end(),
            [](const Member& a, const Member& b) { return a.server->name < b.server->name; });
  return members;
}

Fleet::Slot Fleet::take_slot(ResponseWriter& response) {
  if (*reads_ >= kMaxReads) {
    send_counted_problem(response, metrics_, 503, "too_many_reads",
                         "too many reads of all hosts run at once; try again", {{"Retry-After", "1"}});
    return nullptr;
  }
  ++*reads_;
  // The pointer itself means nothing, but must not be null.
  return {reads_.get(), [reads = std::weak_ptr<unsigned>(reads_)](void*) {
            if (const auto alive = reads.lock()) --*alive;
          }};
}

void run_in_background(uv_loop_t* loop, std::function<void()> work, std::function<void()> done) {
  auto* call = new BackgroundWork{{}, std::move(work), std::move(done)};
  call->request.data = call;
  uv_queue_work(
      loop, &call->request, [](uv_work_t* request) { static_cast<BackgroundWork*>(request->data)->work(); },
      [](uv_work_t* request, int) {
        const std::unique_ptr<BackgroundWork> ended(static_cast<BackgroundWork*>(request->data));
        ended->done();
      });
}

void send_data(ResponseWriter& response, HubMetrics& metrics, std::string_view type, std::string_view body) {
  ++metrics.answers[200];
  response.send(200,
                {{"Content-Type", std::string(type)},
                 {"Cache-Control", "no-store"},
                 {"X-Content-Type-Options", "nosniff"}},
                body);
}

void send_counted_problem(ResponseWriter& response, HubMetrics& metrics, int status, std::string_view code,
                          std::string_view detail, HttpHeaders more) {
  ++metrics.answers[status];
  send_problem(response, status, code, detail, std::move(more));
}

}  // namespace mayfly::hubd
