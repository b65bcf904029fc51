#include "cli/load_run.h"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

namespace mayfly::cli {

using std::chrono::duration;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds kLoadFinishLimit{30'000};
constexpr milliseconds kLongestPoll{20};
constexpr std::uint64_t kUnlimited = 1ull << 36;  // records; of the largest, their bytes still fit 64 bits

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
      polls_.push_back({-1, 0, 0});
    }
  }

  void run() {
    begin_ = steady_clock::now();
    const auto cpu_before = thread_cpu_ns();
    for (std::uint64_t done = 0; !over(done);) {
      const auto allowance = allowed(done);
      const auto each = (allowance + connections_.size() - 1) / connections_.size();
      await(each);
      done = 0;
      std::uint64_t left = allowance;
      for (std::size_t i = 0; i < connections_.size(); ++i) {
        auto& connection = *connections_[i];
        const auto before = connection.begun();
        connection.work(polls_[i].revents, std::min(left, each));
        const auto after = connection.begun();
        left -= std::min(left, after - before);
        done += after;
      }
      sent_ = done;
    }
    sending_ = elapsed();
    busy_ = static_cast<double>(thread_cpu_ns() - cpu_before) / 1e9;
    finish();
  }

  std::uint64_t sent() const { return sent_; }
  /// After run(): adds what this thread did.
  void add_to(LoadEffort& all) const {
    for (const auto& connection : connections_) all.counts.add(connection->counts());
    all.sending = std::max(all.sending, sending_);
    all.busy_seconds += busy_;
    all.waited_seconds += waited_;
  }

 private:
  static std::uint64_t share(std::uint64_t total, std::uint32_t index, std::uint32_t threads) {
    return total / threads + (index < total % threads ? 1 : 0);
  }

  double elapsed() const { return duration<double>(steady_clock::now() - begin_).count(); }

  bool over(std::uint64_t begun) const {
    if (plan_.records > 0 && begun >= records_) return true;
    return plan_.seconds > 0 && elapsed() >= plan_.seconds;
  }

  // How many records may be sent now, by number and by rate.
  std::uint64_t allowed(std::uint64_t begun) const {
    std::uint64_t limit = plan_.records > 0 ? records_ : begun + kUnlimited;
    if (plan_.rate > 0) limit = std::min(limit, static_cast<std::uint64_t>(rate_ * elapsed()));
    return limit - std::min(limit, begun);
  }

  void await(std::uint64_t allowance) {
    bool connected = true;
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      polls_[i] = {connections_[i]->fd(), connections_[i]->events(allowance), 0};
      connected &= polls_[i].fd >= 0;
    }
    // Paced, or not connected yet: a short nap instead of a poll that nothing would end.
    const auto wait = connected && allowance > 0 ? kLongestPoll : milliseconds(1);
    const auto before = steady_clock::now();
    ::poll(polls_.data(), polls_.size(), static_cast<int>(wait.count()));
    if (allowance > 0) waited_ += duration<double>(steady_clock::now() - before).count();
  }

  void finish() {
    const auto until = steady_clock::now() + kLoadFinishLimit;
    for (bool open = true; open && steady_clock::now() < until;) {
      open = false;
      for (auto& connection : connections_) open |= !connection->finish();
      if (open) await(0);
    }
    for (auto& connection : connections_) connection->close();
  }

  const LoadPlan& plan_;
  const std::uint64_t records_;
  const double rate_;
  std::vector<std::unique_ptr<LoadConnection>> connections_;
  std::vector<pollfd> polls_;
  steady_clock::time_point begin_{};
  double sending_ = 0;  // seconds
  double busy_ = 0;
  double waited_ = 0;
  std::atomic<std::uint64_t> sent_{0};
};

}  // namespace

bool LoadResult::accounted() const {
  const auto& counts = effort.counts;
  if (counts.sent != stored() + counts.dropped_total() + counts.unknown) return false;
  return !stored_seen || (*stored_seen >= stored() && *stored_seen <= stored() + counts.unknown);
}

LoadShares LoadResult::shares(const LoadPlan& plan) const {
  LoadShares shares;
  shares.seconds = effort.sending;
  if (effort.sending <= 0) return shares;
  const auto threads = std::min(plan.threads, plan.connections);
  shares.sender = effort.busy_seconds / effort.sending / threads;
  shares.waited = effort.waited_seconds / effort.sending / threads;
  if (server_ns && effort.seconds > 0) shares.server = static_cast<double>(*server_ns) / 1e9 / effort.seconds;
  if (plan.rate > 0) {
    shares.rate = static_cast<double>(effort.counts.sent) / effort.sending / static_cast<double>(plan.rate);
  }
  return shares;
}

LoadEffort send_load(const LoadPlan& plan, const LoadBlock& block, const std::vector<WriteTarget>& targets,
                     const std::function<void(double, std::uint64_t)>& told) {
  const auto count = std::min(plan.connections, plan.threads);
  std::vector<std::unique_ptr<LoadThread>> loads;
  for (std::uint32_t i = 0; i < count; ++i)
    loads.push_back(std::make_unique<LoadThread>(plan, block, targets, i, count));
  std::vector<std::thread> threads;
  threads.reserve(count);
  const auto begin = steady_clock::now();
  const auto elapsed = [begin] { return duration<double>(steady_clock::now() - begin).count(); };
  for (auto& load : loads) {
    threads.emplace_back([&load] { load->run(); });
  }
  std::jthread teller([&](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    for (auto next = begin + milliseconds(1000);; next += milliseconds(1000)) {
      if (wake.wait_until(lock, stop, next, [] { return false; }); stop.stop_requested()) return;
      std::uint64_t sent = 0;
      for (const auto& load : loads) sent += load->sent();
      told(elapsed(), sent);
    }
  });
  LoadEffort all;
  for (auto& thread : threads) thread.join();
  all.seconds = elapsed();
  teller.request_stop();
  for (const auto& load : loads) load->add_to(all);
  return all;
}

}  // namespace mayfly::cli
