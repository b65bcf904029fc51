#include "hubd/parked_polls.h"

#include <utility>
#include <vector>

namespace mayfly::hubd {

ParkedPoll ParkedPolls::Polls::take(std::map<Deadline, ParkedPoll>::iterator at) {
  ParkedPoll poll = std::move(at->second);
  by_deadline.erase(at);
  const auto count = per_server.find(poll.server);
  if (--count->second == 0) per_server.erase(count);
  return poll;
}

ParkedPolls::ParkedPolls(uv_loop_t* loop, std::function<void(ParkedPoll)> expired)
    : loop_(loop),
      expired_(std::move(expired)),
      polls_(std::make_shared<Polls>()),
      timer_(loop, [this] { expire(); }) {}

bool ParkedPolls::park(ParkedPoll poll, std::chrono::milliseconds wait) {
  const auto known = polls_->per_server.find(poll.server);
  if (known != polls_->per_server.end() && known->second >= kMaxPerServer) return false;
  ++polls_->per_server[poll.server];
  const Deadline deadline{uv_now(loop_) + static_cast<std::uint64_t>(wait.count()), next_number_++};
  poll.response->set_open_ended();
  poll.response->on_closed([polls = std::weak_ptr<Polls>(polls_), deadline] {
    const std::shared_ptr<Polls> alive = polls.lock();
    if (!alive) return;
    const auto at = alive->by_deadline.find(deadline);
    if (at != alive->by_deadline.end()) alive->take(at);
  });
  polls_->by_deadline.emplace(deadline, std::move(poll));
  rearm();
  return true;
}

void ParkedPolls::release(const std::function<bool(const ParkedPoll&)>& is_due,
                          const std::function<void(ParkedPoll)>& answer) {
  // Answering may close a reader and so change the map: take first, answer afterwards.
  std::vector<ParkedPoll> due;
  for (auto at = polls_->by_deadline.begin(); at != polls_->by_deadline.end();) {
    const auto next = std::next(at);
    if (is_due(at->second)) due.push_back(polls_->take(at));
    at = next;
  }
  for (ParkedPoll& poll : due) answer(std::move(poll));
  rearm();
}

void ParkedPolls::expire() {
  const std::uint64_t now = uv_now(loop_);
  std::vector<ParkedPoll> due;
  while (!polls_->by_deadline.empty() && polls_->by_deadline.begin()->first.first <= now) {
    due.push_back(polls_->take(polls_->by_deadline.begin()));
  }
  for (ParkedPoll& poll : due) expired_(std::move(poll));
  rearm();
}

void ParkedPolls::rearm() {
  if (polls_->by_deadline.empty()) return timer_.stop();
  const std::uint64_t first = polls_->by_deadline.begin()->first.first;
  const std::uint64_t now = uv_now(loop_);
  timer_.start(std::chrono::milliseconds(first > now ? first - now : 0));
}

}  // namespace mayfly::hubd
