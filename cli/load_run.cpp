#include "cli/load_run.h"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>

namespace mayfly::cli {

using std::chrono::duration;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr std::uint32_t kMaxThreads = 4;  // more would only take processors from the server
constexpr milliseconds kLoadFinishLimit{30'000};
constexpr milliseconds kLongestPoll{20};
constexpr std::uint64_t kUnlimited = 1ull << 60;  // records; far from overflow

// One thread and its share of the connections, records and rate.
class LoadThread {
 public:
  LoadThread(const LoadPlan& plan, const LoadBlock& block, const std::vector<WriteTarget>& targets,
             std::uint32_t index, std::uint32_t threads)
      : plan_(plan),
        records_(share(plan.records, index, threads)),
        rate_(static_cast<double>(plan.rate) / threads) {
    for (std::uint32_t i = index; i < plan.connections; i += threads) {
      connections_.push_back(
          std::make_unique<LoadConnection>(plan, block, targets, i * block.records() / plan.connections));
    }
  }

  void run() {
    begin_ = steady_clock::now();
    while (!over()) {
      const auto allowance = allowed();
      const auto each = (allowance + connections_.size() - 1) / connections_.size();
      await(each);
      std::uint64_t left = allowance;
      for (auto& connection : connections_) {
        const auto before = connection->begun();
        connection->work(std::min(left, each));
        left -= std::min(left, connection->begun() - before);
      }
      publish();
    }
    finish();
  }

  std::uint64_t sent() const { return sent_; }
  LoadCounts counts() const {
    LoadCounts all;
    for (const auto& connection : connections_) all.add(connection->counts());
    return all;
  }

 private:
  static std::uint64_t share(std::uint64_t total, std::uint32_t index, std::uint32_t threads) {
    return total / threads + (index < total % threads ? 1 : 0);
  }

  double elapsed() const { return duration<double>(steady_clock::now() - begin_).count(); }

  bool over() const {
    if (plan_.records > 0 && begun() >= records_) return true;
    return plan_.seconds > 0 && elapsed() >= plan_.seconds;
  }

  std::uint64_t begun() const {
    std::uint64_t total = 0;
    for (const auto& connection : connections_) total += connection->begun();
    return total;
  }

  // How many records may be sent now, by number and by rate.
  std::uint64_t allowed() const {
    const auto already = begun();
    std::uint64_t limit = plan_.records > 0 ? records_ : kUnlimited;
    if (plan_.rate > 0) limit = std::min(limit, static_cast<std::uint64_t>(rate_ * elapsed()));
    return limit - std::min(limit, already);
  }

  void await(std::uint64_t allowance) {
    polls_.clear();
    for (const auto& connection : connections_)
      polls_.push_back({connection->fd(), connection->events(allowance), 0});
    const bool connected =
        std::all_of(polls_.begin(), polls_.end(), [](const pollfd& one) { return one.fd >= 0; });
    // Paced, or not connected yet: a short nap instead of a poll that nothing would end.
    const auto wait = connected && allowance > 0 ? kLongestPoll : milliseconds(1);
    ::poll(polls_.data(), polls_.size(), static_cast<int>(wait.count()));
  }

  void publish() {
    std::uint64_t total = 0;
    for (const auto& connection : connections_) total += connection->counts().sent;
    sent_ = total;
  }

  void finish() {
    const auto until = steady_clock::now() + kLoadFinishLimit;
    for (bool open = true; open && steady_clock::now() < until;) {
      open = false;
      for (auto& connection : connections_) open |= !connection->finish();
      if (open) await(0);
    }
    for (auto& connection : connections_) connection->close();
    publish();
  }

  const LoadPlan& plan_;
  const std::uint64_t records_;
  const double rate_;
  std::vector<std::unique_ptr<LoadConnection>> connections_;
  std::vector<pollfd> polls_;
  steady_clock::time_point begin_{};
  std::atomic<std::uint64_t> sent_{0};
};

}  // namespace

bool LoadResult::accounted() const {
  if (counts.sent != stored() + counts.dropped_total() + counts.unknown) return false;
  return !stored_seen || (*stored_seen >= stored() && *stored_seen <= stored() + counts.unknown);
}

LoadCounts send_load(const LoadPlan& plan, const std::vector<WriteTarget>& targets,
                     const std::function<void(double, std::uint64_t)>& told) {
  const LoadBlock block(plan);
  const auto count =
      std::min({plan.connections, kMaxThreads, std::max(1u, std::thread::hardware_concurrency())});
  std::vector<std::unique_ptr<LoadThread>> loads;
  for (std::uint32_t i = 0; i < count; ++i)
    loads.push_back(std::make_unique<LoadThread>(plan, block, targets, i, count));
  std::atomic<std::uint32_t> running{count};
  std::vector<std::thread> threads;
  threads.reserve(count);
  for (auto& load : loads) {
    threads.emplace_back([&load, &running] {
      load->run();
      --running;
    });
  }
  const auto begin = steady_clock::now();
  for (auto next = begin + milliseconds(1000); running > 0;) {
    std::this_thread::sleep_for(milliseconds(5));
    if (steady_clock::now() < next) continue;
    next += milliseconds(1000);
    std::uint64_t sent = 0;
    for (const auto& load : loads) sent += load->sent();
    told(duration<double>(steady_clock::now() - begin).count(), sent);
  }
  LoadCounts all;
  for (std::size_t i = 0; i < threads.size(); ++i) {
    threads[i].join();
    all.add(loads[i]->counts());
  }
  return all;
}

}  // namespace mayfly::cli
