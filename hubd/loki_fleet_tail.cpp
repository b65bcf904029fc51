#include "hubd/loki_fleet_tail.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/logql_bind.h"
#include "common/text.h"
#include "hubd/loki_merge.h"
#include "shm/clock.h"

namespace mayfly::hubd {
namespace {

constexpr std::chrono::milliseconds kLookPace{500};  // for hosts
constexpr std::chrono::milliseconds kDrainPace{20};  // while a host waits for the reader
constexpr std::uint64_t kAskAgainMs = 1000;
constexpr std::string_view kTailPath = "/loki/api/v1/tail";

}  // namespace

LokiFleetTail::LokiFleetTail(Fleet& fleet, ReaderPtr reader, loki::TailQuestion question,
                             std::unique_ptr<loki::TailOutput> output, std::function<void()> on_gone)
    : fleet_(fleet),
      reader_(std::move(reader)),
      question_(std::move(question)),
      output_(std::move(output)),
      on_gone_(std::move(on_gone)),
      timer_(fleet.loop(), [this] { tick(); }) {}

LokiFleetTail::~LokiFleetTail() { end("the hub goes away"); }

void LokiFleetTail::start() {
  output_->on_closed([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    // Not from here: a host's line may be on its way to the reader just now.
    self->gone_ = true;
    self->timer_.start(std::chrono::milliseconds(0));
  });
  looked_ms_ = uv_now(fleet_.loop());
  look_for_hosts();
  if (is_open()) timer_.start(kLookPace, kLookPace);
}

void LokiFleetTail::end(std::string_view reason) {
  timer_.stop();
  on_gone_ = nullptr;
  for (auto& [server, host] : std::exchange(hosts_, {})) {
    if (host.tail) host.tail->cancel();
  }
  if (const auto output = std::exchange(output_, nullptr)) output->close(reason);
}

void LokiFleetTail::tick() {
  const auto self = shared_from_this();
  if (gone_) {
    timer_.stop();
    if (const auto on_gone = std::exchange(on_gone_, nullptr)) on_gone();
    return;
  }
  const std::uint64_t now_ms = uv_now(fleet_.loop());
  bool waiting = false;
  std::vector<std::pair<std::string, std::shared_ptr<LokiHostTail>>> open;
  for (const auto& [server, host] : hosts_) {
    if (host.tail) open.emplace_back(server, host.tail);
  }
  for (const auto& [server, tail] : open) {
    tail->tick(now_ms);
    waiting = waiting || tail->is_held_back();
    if (now_ms - tail->alive_ms() < static_cast<std::uint64_t>(kSilence.count())) continue;
    tail->cancel();  // its network is gone, and nothing else would ever tell
    host_ended(server);
  }
  if (now_ms - looked_ms_ >= static_cast<std::uint64_t>(kLookPace.count())) {
    looked_ms_ = now_ms;
    look_for_hosts();
  }
  const auto pace = waiting ? kDrainPace : kLookPace;
  if (is_open()) timer_.start(pace, pace);
}

void LokiFleetTail::look_for_hosts() {
  const std::uint64_t now_ms = uv_now(fleet_.loop());
  for (const auto& member : fleet_.members(*reader_)) {
    const std::string& server = member.server->name;
    if (!fleet_.links().state(server).connected) continue;
    Host& host = hosts_[server];
    if (host.tail || now_ms < host.again_ms) continue;
    ask(server, member.scope, host);
    if (!is_open()) return;
  }
}

void LokiFleetTail::ask(const std::string& server, const Scope& scope, Host& host) {
  const auto bound = logql::bind_label(question_.query, kServerLabel, server);
  if (!bound) return;
  FormFields fields;
  fields.add("query", logql::to_text(bound->query));
  // After a loss: all that came meanwhile and is still there.
  const bool again = host.last_ns != 0;
  fields.add("start", format_time(again ? host.last_ns + 1 : question_.start_ns));
  fields.add("limit", std::to_string(again ? loki::kMaxEntries : question_.limit));
  if (question_.delay_ns > 0) fields.add("delay_for", std::to_string(question_.delay_ns / 1'000'000'000));
  HttpRequest request;
  request.method = "GET";
  request.path = kTailPath;
  request.query = fields.to_query();
  request.headers = {
      {"accept", "application/x-ndjson"}, {"user-agent", "mayfly-hubd"}, {"host", "hub.invalid"}};
  host.tail =
      std::make_shared<LokiHostTail>(callbacks_for(server, scope, bound->keeps_label), uv_now(fleet_.loop()));
  const auto tail = host.tail;  // an answer may come, and end it, from within forward()
  fleet_.links().forward(server, scope, std::move(request), tail, {});
}

LokiHostTail::Callbacks LokiFleetTail::callbacks_for(const std::string& server, const Scope& scope,
                                                     bool keeps_label) {
  const auto weak = weak_from_this();
  LokiHostTail::Callbacks callbacks;
  callbacks.line = [weak, server, scope, keeps_label](std::string_view line) {
    if (const auto self = weak.lock()) self->take_line(server, scope, keeps_label, line);
  };
  callbacks.too_long = [weak, server] {
    if (const auto self = weak.lock()) self->tell_loss(server);
  };
  callbacks.ended = [weak, server] {
    if (const auto self = weak.lock()) self->host_ended(server);
  };
  callbacks.queued = [weak] {
    const auto self = weak.lock();
    return self && self->output_ ? self->output_->queued() : 0;
  };
  return callbacks;
}

void LokiFleetTail::take_line(const std::string& server, const Scope& scope, bool keeps_label,
                              std::string_view line) {
  if (!is_open()) return;
  std::vector<loki::Stream> streams;
  std::vector<loki::DroppedEntries> dropped;
  const LokiHostPart part{server, scope, keeps_label, 0, 200, {}, {}};
  if (!read_host_frame(part, line, streams, dropped)) return tell_loss(server);
  Host& host = hosts_[server];
  if (std::exchange(host.lost, false)) tell_loss(server);
  for (const auto& stream : streams) {
    for (const auto& entry : stream.entries) host.last_ns = std::max(host.last_ns, entry.time_ns);
  }
  if (!streams.empty() || !dropped.empty()) output_->send(loki::tail_frame_json(streams, dropped));
}

void LokiFleetTail::tell_loss(const std::string& server) {
  if (!is_open()) return;
  output_->send(loki::tail_frame_json(
      {}, {{{{std::string(kServerLabel), server}}, shm::system_clocks().wall_ns(), std::nullopt}}));
}

void LokiFleetTail::host_ended(const std::string& server) {
  const auto found = hosts_.find(server);
  if (found == hosts_.end() || !found->second.tail) return;
  Host& host = found->second;
  host.lost = host.lost || host.tail->has_begun();
  host.tail.reset();
  host.again_ms = uv_now(fleet_.loop()) + kAskAgainMs;
}

LokiFleetTails::~LokiFleetTails() {
  for (const auto& tail : std::exchange(*open_, {})) tail->end("the hub goes away");
}

void LokiFleetTails::open(const HttpRequest& request, const ResponseWriterPtr& response,
                          const FormFields& fields, const ReaderPtr& reader) {
  const auto question = loki::read_tail_question(fields, shm::system_clocks().wall_ns());
  if (!question.ok()) return loki::send_error(*response, 400, question.error().text);
  if (open_->size() >= kMaxTails) {
    return loki::send_error(
        *response, 429, "max concurrent tail requests limit exceeded (" + std::to_string(kMaxTails) + ")");
  }
  auto output = loki::open_tail_output(request, response);
  if (output == nullptr) return;
  const auto place = std::make_shared<std::weak_ptr<LokiFleetTail>>();
  const auto tail = std::make_shared<LokiFleetTail>(fleet_, reader, question.value(), std::move(output),
                                                    [open = std::weak_ptr(open_), place] {
                                                      if (const auto all = open.lock())
                                                        all->erase(place->lock());
                                                    });
  *place = tail;
  open_->insert(tail);
  tail->start();
}

}  // namespace mayfly::hubd
