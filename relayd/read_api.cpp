#include "relayd/read_api.h"

#include <memory>
#include <utility>

#include "common/http_negotiation.h"
#include "common/json_view.h"
#include "relayd/keys_api.h"
#include "relayd/log_api.h"
#include "relayd/metrics.h"
#include "relayd/page.h"
#include "relayd/status_api.h"

namespace mayfly::relayd {
namespace {

/// True for /api/v1/{what}/{dir}, with or without a key.
bool names_directory(const RequestTarget& target, std::string_view what) {
  const auto& segments = target.segments;
  return (segments.size() == 4 || segments.size() == 5) && segments[2] == what;
}

bool is_api(const RequestTarget& target) {
  const auto& segments = target.segments;
  return segments.size() >= 3 && segments[0] == "api" && segments[1] == "v1";
}

bool is_single(const RequestTarget& target, std::string_view name) {
  return target.segments.size() == 1 && target.segments[0] == name;
}

}  // namespace

void ReadApi::handle(HttpRequest request, ResponseWriterPtr response) {
  auto scope = ReadScope::of(request);
  if (!scope.ok()) return send_bad_request(*response, scope.error());
  if (loki::is_loki_path(request.path)) return loki_.handle(request, response, scope.value());
  if (request.method != "GET" && request.method != "HEAD") {
    return send_problem(*response, 405, "method_not_allowed", "reading is done with GET",
                        {{"Allow", "GET, HEAD"}});
  }
  if (is_page_path(request)) return answer_page(request, *response);
  auto target = parse_request_target(request);
  if (!target.ok()) return send_bad_request(*response, target.error());
  route({std::move(request), std::move(target.value()), std::move(response), std::move(scope.value())});
}

void ReadApi::route(ApiCall call) const {
  const RequestTarget& target = call.target;
  if (is_single(target, "metrics")) return answer_metrics(call);
  if (is_single(target, "readyz") || is_single(target, "ready")) return answer_ready(call);
  if (is_single(target, "healthz")) {
    return call.response->send(200, data_headers("text/plain; charset=utf-8"), "ok\n");
  }
  if (is_api(target)) {
    if (target.segments.size() == 3 && target.segments[2] == "directories") return answer_directories(call);
    if (names_directory(target, "status")) return answer_status(parts_, std::move(call));
    if (names_directory(target, "logs")) return answer_logs(parts_, std::move(call));
    if (names_directory(target, "keys") && target.segments.size() == 4) {
      return answer_keys(parts_, std::move(call));
    }
    if (names_directory(target, "tail")) return answer_stream(parts_, std::move(call), shm::Kind::log);
    if (names_directory(target, "watch")) return answer_stream(parts_, std::move(call), shm::Kind::status);
  }
  send_problem(*call.response, 404, "no_such_path", "there is nothing at this path");
}

void ReadApi::answer_directories(const ApiCall& call) const {
  const auto reader = parts_.segment.reader(call.scope);
  if (!reader) return send_problem(*call.response, 503, "no_segment", parts_.segment.problem());
  auto answer = directories_json(reader->info(), reader->directories());
  if (reader->sees_everything()) answer["segment"] = segment_use_json(reader->info());
  call.response->send(200, data_headers("application/json"), answer.dump() + "\n");
}

void ReadApi::answer_metrics(const ApiCall& call) const {
  const auto format = prefers_open_metrics(call.request.header("accept")) ? MetricsFormat::open_metrics
                                                                          : MetricsFormat::prometheus;
  const auto text = std::make_shared<std::string>();
  const auto send = [text, format, response = call.response] {
    response->send(200, data_headers(metrics_content_type(format)), *text);
  };
  const auto reader = parts_.segment.reader(call.scope);
  LinkCounts links;
  if (call.scope.sees_everything() && parts_.tunnel) links.tunnel = parts_.tunnel();
  if (call.scope.sees_everything() && parts_.server) links.server = parts_.server();
  const ReadingCounts reading = parts_.reading();
  std::uint64_t status_bytes = 0;
  if (reader) {
    for (const auto& directory : reader->directories()) {
      if (directory.kind != shm::Kind::status) continue;
      status_bytes += is_small(directory) ? directory.bytes : kSnapshotBytes + 1;
    }
  }
  if (status_bytes <= kSnapshotBytes) {
    *text = render_metrics(reader ? &*reader : nullptr, parts_.segment.clocks(), format, reading,
                           *loki_.counts(), links);
    return send();
  }
  parts_.segment.run(
      call.scope,
      [text, format, reading, links, &clocks = parts_.segment.clocks(), counts = loki_.counts()](
          const ScopedReader* own) { *text = render_metrics(own, clocks, format, reading, *counts, links); },
      send);
}

std::string ReadApi::not_ready() const {
  const auto reader = parts_.segment.reader(ReadScope::everything());
  if (!reader) return "the data segment: " + parts_.segment.problem();
  if (parts_.rules() == nullptr) return "the relay has not said any quotas yet";
  const shm::SegmentInfo segment = reader->info();
  if (segment.applied_serial == 0) return "ingestd has not applied the quotas yet";
  return {};
}

void ReadApi::answer_ready(const ApiCall& call) const {
  const std::string reason = not_ready();
  if (!reason.empty()) return send_problem(*call.response, 503, "not_ready", reason);
  call.response->send(200, data_headers("text/plain; charset=utf-8"), "ready\n");
}

}  // namespace mayfly::relayd
