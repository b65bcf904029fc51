#include "relayd/uplink.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/text.h"
#include "relayd/tunnel_request.h"
#include "relayd/tunnel_response.h"

namespace mayfly::relayd {
namespace {

constexpr std::size_t kMaxIdBytes = 256;
constexpr std::chrono::milliseconds kStalled{2000};
constexpr std::size_t kMaxRelayTextBytes = 64 << 10;  // of its answer to a POST, which nobody reads

}  // namespace

/// The POSTs that are under way. Answers hold it weakly: with the uplink it is gone.
struct Uplink::Answers : TunnelPosts {
  HttpClient client;
  std::string url;
  std::string api_key;
  std::string ca_file;
  std::chrono::milliseconds connect_timeout;
  std::unordered_set<std::string> in_flight;  // ids
  std::vector<std::function<void()>> deferred;
  LoopTimer soon;

  Answers(uv_loop_t* loop, const TunnelTarget& target, std::chrono::milliseconds timeout)
      : client(loop),
        url(target.url),
        api_key(target.api_key),
        ca_file(target.ca_file),
        connect_timeout(timeout),
        soon(loop, [this] {
          std::vector<std::function<void()>> calls;
          calls.swap(deferred);
          for (const auto& call : calls) call();
        }) {}

  std::shared_ptr<HttpUpload> post(const std::string& id, const WrappedHead& head,
                                   std::optional<std::uint64_t> length, HttpClient::Done done) override {
    HttpClientRequest request;
    request.url = url + "/http_response/" + percent_encode(id);
    request.ca_file = ca_file;
    request.headers = {{std::string(kTunnelHeadHeader), head_to_header(head)}, {"x-apikey", api_key}};
    request.connect_timeout = connect_timeout;
    request.max_body_bytes = kMaxRelayTextBytes;
    request.names_itself = false;
    return client.post(request, length, std::move(done));
  }
  void finished(const std::string& id) override { in_flight.erase(id); }
  void defer(std::function<void()> call) override {
    deferred.push_back(std::move(call));
    soon.start(std::chrono::milliseconds(0));
  }
};

Uplink::Uplink(uv_loop_t* loop, TunnelTarget target, TunnelPace pace, TunnelLimits limits,
               HttpHandler handler)
    : loop_(loop),
      target_(std::move(target)),
      pace_(pace),
      limits_(limits),
      handler_(std::move(handler)),
      answers_(std::make_shared<Answers>(loop, target_, pace.connect_timeout)),
      next_poll_(loop, [this] { poll(); }),
      settled_(loop,
               [this] {
                 if (answers_->client.awaits_answer(poll_id_)) {
                   set_state(TunnelState::connected, {});
                 } else {
                   settled_.start(pace_.settled);  // still connecting, or in a handshake
                 }
               }),
      random_(std::random_device{}()) {}

Uplink::~Uplink() = default;

shm::Status Uplink::start() {
  if (!may_carry_key(target_.url)) {
    return shm::Error{shm::Errc::invalid,
                      target_.url + ": the key is sent over https only, or over http to this host itself"};
  }
  next_poll_.start(std::chrono::milliseconds(0));
  return {};
}

TunnelCounts Uplink::counts() const {
  TunnelCounts counts = counts_;
  counts.connected = state_ == TunnelState::connected;
  counts.in_flight = answers_->in_flight.size();
  return counts;
}

void Uplink::poll() {
  HttpClientRequest request;
  request.url = target_.url + "/http_listen/" + percent_encode(target_.name);
  request.ca_file = target_.ca_file;
  request.headers = {
      {"x-apikey", target_.api_key}, {"mayfly-version", MAYFLY_VERSION}, {"mayfly-features", "scope"}};
  request.names_itself = false;
  request.connect_timeout = pace_.connect_timeout;
  request.total_timeout = pace_.poll_limit;
  request.max_body_bytes = limits_.max_list_bytes;
  ++counts_.polls;
  uv_update_time(loop_);
  asked_at_ = uv_now(loop_);
  poll_id_ =
      answers_->client.get(request, [this](HttpClientResponse response) { answered(std::move(response)); });
  if (state_ != TunnelState::connected) settled_.start(pace_.settled);
}

void Uplink::answered(HttpClientResponse response) {
  settled_.stop();
  switch (response.status) {
    case 200:
      return take_list(response.body);
    case 204:
      back_off_ = std::chrono::milliseconds(0);
      set_state(TunnelState::connected, {});
      return rest();
    case 401:
    case 403:
      return failed(TunnelState::refused, "status " + std::to_string(response.status));
    case 0:
      return failed(TunnelState::away, response.error);
    default:
      return failed(TunnelState::odd, "status " + std::to_string(response.status));
  }
}

void Uplink::take_list(const std::string& body) {
  auto list = decode_requests(body);
  if (!list.ok()) return failed(TunnelState::odd, list.error().text);
  back_off_ = std::chrono::milliseconds(0);
  set_state(TunnelState::connected, {});
  if (list.value().empty()) return rest();
  poll();
  for (WrappedRequest& wrapped : list.value()) take(std::move(wrapped));
}

void Uplink::take(WrappedRequest wrapped) {
  auto& in_flight = answers_->in_flight;
  const bool answerable = !wrapped.id.empty() && wrapped.id.size() <= kMaxIdBytes;
  const bool crowded = in_flight.size() >= limits_.in_flight;
  if (!answerable || in_flight.count(wrapped.id) != 0 ||
      in_flight.size() >= limits_.in_flight + limits_.refusals) {
    ++counts_.dropped;
    return;
  }
  in_flight.insert(wrapped.id);
  const auto response = std::make_shared<TunnelResponse>(answers_, wrapped.id, wrapped.method == "HEAD");
  if (crowded) {
    if (!std::exchange(crowded_, true)) {
      spdlog::warn("tunnel: {} requests are being answered, more get 503", limits_.in_flight);
    }
    ++counts_.refused;
    return send_problem(*response, 503, "too_many_requests", "this host answers enough already",
                        {{"Retry-After", "1"}});
  }
  if (in_flight.size() * 2 <= limits_.in_flight) crowded_ = false;
  auto request = to_http_request(std::move(wrapped));
  if (!request) return send_problem(*response, 400, "bad_request", "the request's target is none");
  ++counts_.requests;
  handler_(std::move(*request), response);
}

void Uplink::rest() {
  uv_update_time(loop_);
  const std::chrono::milliseconds took(uv_now(loop_) - asked_at_);
  next_poll_.start(std::max(pace_.shortest_poll - took, std::chrono::milliseconds(0)));
}

void Uplink::failed(TunnelState state, const std::string& problem) {
  set_state(state, problem);
  auto longest = state == TunnelState::away ? pace_.longest_reconnect : pace_.longest_retry;
  if (is_loopback_url(target_.url)) longest = pace_.longest_loopback_retry;
  back_off_ = std::min(back_off_ * 2 + pace_.first_retry, longest);
  std::uniform_int_distribution<std::int64_t> jitter(back_off_.count() * 3 / 4, back_off_.count());
  next_poll_.start(std::chrono::milliseconds(jitter(random_)));
}

void Uplink::set_state(TunnelState state, const std::string& detail) {
  if (std::exchange(state_, state) == state) return;
  switch (state) {
    case TunnelState::starting:
      return;
    case TunnelState::connected:
      // What was under way when the network went: its readers come again, and learn what they missed.
      answers_->client.break_stalled(kStalled);
      return spdlog::info("tunnel: connected to {} as {}", target_.url, target_.name);
    case TunnelState::refused:
      return spdlog::warn("tunnel: {} does not know this name and key: {}", target_.url, detail);
    case TunnelState::odd:
      return spdlog::warn("tunnel: {} does not answer as a relay does: {}", target_.url, detail);
    case TunnelState::away:
      return spdlog::warn("tunnel: {} is away: {}", target_.url, detail);
  }
}

}  // namespace mayfly::relayd
