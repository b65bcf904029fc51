#include "hubd/host_link.h"

#include <spdlog/spdlog.h>
#include <time.h>

#include <algorithm>
#include <utility>

#include "common/tripcode.h"
#include "hubd/plain_text.h"

namespace mayfly::hubd {
namespace {

std::uint64_t link_wall_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t in_ms(std::chrono::milliseconds time) { return static_cast<std::uint64_t>(time.count()); }

}  // namespace

HostLink::HostLink(LinkShared& shared, std::string name, const Blake3Hash& key_hash)
    : shared_(shared), name_(std::move(name)), key_hash_(key_hash) {}

bool HostLink::has_key(const Blake3Hash& key_hash) const { return same_hash(key_hash_, key_hash); }

void HostLink::set_key(const Blake3Hash& key_hash) {
  if (has_key(key_hash)) return;
  key_hash_ = key_hash;
  dismiss_polls(401, "Bad X-ApiKey\n");
  const auto open = open_;
  for (const auto& [key, request] : open) {
    if (request->stage() == RelayedRequest::Stage::answering) request->dismiss(502, "Error in relay\n");
  }
}

void HostLink::park(ResponseWriterPtr poll, PollHeaders headers) {
  last_seen_ns_ = link_wall_ns();
  headers_ = std::move(headers);
  take_back_lost();
  displace_polls();
  keep(std::move(poll));
  deliver();
}

void HostLink::displace_polls() {
  if (polls_.empty()) return;
  const std::uint64_t now = shared_.deadlines.now_ms();
  const bool again = displaced_before_ && now - displaced_ms_ < in_ms(shared_.times.displacement_pause);
  if (again && !std::exchange(warned_, true)) {
    spdlog::warn("several servers poll as {}: each needs a name of its own", name_);
  }
  if (again && polls_.size() < kMaxPolls) return;
  if (!again) warned_ = false;
  displaced_before_ = true;
  displaced_ms_ = now;
  while (!polls_.empty()) {
    const ResponseWriterPtr older = polls_.front().response;
    drop_poll(polls_.begin());
    ++shared_.counts().polls_displaced;
    send_text(*older, shared_.metrics, 500, "Server error\n");
    if (again) break;  // as many as fit stay
  }
}

void HostLink::keep(ResponseWriterPtr poll) {
  const std::uint64_t number = next_poll_++;
  const std::weak_ptr<HostLink> weak = weak_from_this();
  poll->set_open_ended();
  poll->on_closed([weak, number] {
    if (const auto self = weak.lock()) self->poll_gone(number);
  });
  const Deadlines::Key deadline = shared_.deadlines.add(shared_.times.poll_hold, [weak, number] {
    if (const auto self = weak.lock()) self->poll_idle(number);
  });
  polls_.push_back({number, std::move(poll), deadline});
  ++shared_.counts().parked;
}

HostLink::Polls::iterator HostLink::find_poll(std::uint64_t number) {
  return std::find_if(polls_.begin(), polls_.end(),
                      [number](const Poll& one) { return one.number == number; });
}

void HostLink::drop_poll(Polls::iterator poll) {
  shared_.deadlines.remove(poll->deadline);
  last_poll_ms_ = shared_.deadlines.now_ms();
  between_polls_ = true;
  polls_.erase(poll);
  --shared_.counts().parked;
}

void HostLink::poll_gone(std::uint64_t number) {
  const auto found = find_poll(number);
  if (found == polls_.end()) return;
  ++shared_.counts().polls_gone;
  drop_poll(found);
  between_polls_ = false;  // it hung up
}

void HostLink::poll_idle(std::uint64_t number) {
  const auto found = find_poll(number);
  if (found == polls_.end()) return;
  const ResponseWriterPtr response = found->response;
  drop_poll(found);
  ++shared_.counts().polls_idle;
  ++shared_.metrics.answers[204];
  response->send(204, {{"Content-Type", "text/plain"}}, "");
}

void HostLink::dismiss_polls(int status, std::string_view text) {
  while (!polls_.empty()) {
    const ResponseWriterPtr poll = polls_.front().response;
    drop_poll(polls_.begin());
    send_text(*poll, shared_.metrics, status, text);
  }
}

bool HostLink::takes_more(std::size_t size) const {
  return waiting_.size() < kMaxWaiting && waiting_bytes_ + size <= kMaxWaitingBytes &&
         open_.size() < kMaxOpen;
}

void HostLink::ask(WrappedRequest wrapped, ResponseWriterPtr reader, RelayedRequest::Plan plan) {
  const std::string id = wrapped.id;
  const auto request = std::make_shared<RelayedRequest>(shared_, *this, next_number_++, std::move(wrapped),
                                                        reader, std::move(plan));
  if (!takes_more(request->size())) {
    ++shared_.counts().turned_away;
    return send_text(*reader, shared_.metrics, 503, "Too many requests wait for this server\n",
                     {{"Retry-After", "5"}});
  }
  shared_.by_id.emplace(id, request);
  open_.emplace(request.get(), request);
  set_waiting(request);
  request->start();
  deliver();
}

void HostLink::set_waiting(const RelayedRequestPtr& request) {
  waiting_.emplace(request->number(), request);
  waiting_bytes_ += request->size();
  ++shared_.counts().waiting;
}

void HostLink::unset_waiting(const RelayedRequest& request) {
  if (waiting_.erase(request.number()) == 0) return;
  waiting_bytes_ -= request.size();
  --shared_.counts().waiting;
}

void HostLink::deliver() {
  // The newest poll is the likeliest to be alive.
  while (!waiting_.empty() && !polls_.empty()) {
    const ResponseWriterPtr poll = polls_.back().response;
    drop_poll(std::prev(polls_.end()));
    if (poll->closed()) {
      ++shared_.counts().polls_gone;
    } else {
      deliver_to(*poll);
    }
  }
}

void HostLink::deliver_to(ResponseWriter& poll) {
  std::vector<WrappedRequest> batch;
  std::size_t bytes = 0;
  last_batch_.clear();
  last_batch_ms_ = shared_.deadlines.now_ms();
  while (!waiting_.empty()) {
    const RelayedRequestPtr request = waiting_.begin()->second;
    bytes += request->size();
    if (!batch.empty() && bytes > kMaxBatchBytes) break;
    unset_waiting(*request);
    ++shared_.counts().in_flight;
    request->asked();
    batch.push_back(request->wrapped());
    last_batch_.push_back(request);
  }
  ++shared_.counts().polls_with_work;
  ++shared_.metrics.answers[200];
  poll.send(200, {}, encode_requests(batch));
}

void HostLink::take_back_lost() {
  const std::uint64_t passed = shared_.deadlines.now_ms() - last_batch_ms_;
  if (!last_batch_.empty() && passed >= in_ms(shared_.times.lost_after)) {
    for (const auto& weak : last_batch_) {
      const RelayedRequestPtr request = weak.lock();
      if (!request || !request->take_back()) continue;
      --shared_.counts().in_flight;
      ++shared_.counts().redelivered;
      set_waiting(request);
    }
  }
  last_batch_.clear();
}

void HostLink::request_done(RelayedRequest& request) {
  const auto found = open_.find(&request);
  if (found == open_.end()) return;
  const RelayedRequestPtr alive = found->second;
  if (waiting_.contains(request.number())) {
    unset_waiting(request);
  } else {
    --shared_.counts().in_flight;
  }
  open_.erase(found);
  shared_.by_id.erase(request.id());
}

void HostLink::dismiss(int poll_status, std::string_view poll_text, int status, std::string_view text) {
  dismiss_polls(poll_status, poll_text);
  const auto open = open_;
  for (const auto& [key, request] : open) request->dismiss(status, text);
}

HostState HostLink::state() const {
  HostState state;
  const std::uint64_t since = shared_.deadlines.now_ms() - last_poll_ms_;
  state.connected = !polls_.empty() || (between_polls_ && since < in_ms(shared_.times.between_polls));
  state.last_seen_ns = last_seen_ns_;
  state.version = headers_.version;
  state.takes_scopes = headers_.takes_scopes;
  state.waiting = waiting_.size();
  state.in_flight = open_.size() - waiting_.size();
  return state;
}

}  // namespace mayfly::hubd
