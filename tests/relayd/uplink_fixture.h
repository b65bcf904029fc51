// An uplink, and a relay for it that is nothing but sockets.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "relayd/uplink.h"
#include "tests/common/loop_thread.h"
#include "tests/relayd/raw_hub.h"

namespace mayfly::relayd {

using std::chrono::milliseconds;

inline WrappedRequest wrapped(const std::string& id, const std::string& uri,
                              const std::string& method = "GET") {
  return {id, method, uri, {{"host", "relay.example"}}};
}

class UplinkTest : public ::testing::Test {
 protected:
  UplinkTest() {
    pace_.first_retry = milliseconds(5);
    pace_.longest_loopback_retry = milliseconds(20);
    pace_.shortest_poll = milliseconds(5);
  }
  ~UplinkTest() override {
    thread_.call([&] {
      const std::lock_guard<std::mutex> lock(mutex_);
      uplink_.reset();
      kept_.clear();
    });
  }
  /// The handler keeps each request; respond() answers them.
  void start() {
    thread_.call([&] {
      uplink_.emplace(thread_.loop(), TunnelTarget{hub_.url(), "web-1", "the key", {}}, pace_, limits_,
                      [this](HttpRequest request, ResponseWriterPtr response) {
                        const std::lock_guard<std::mutex> lock(mutex_);
                        const std::string path = request.path;
                        response->on_closed([this, path] {
                          const std::lock_guard<std::mutex> inner(mutex_);
                          ++gone_[path];
                          changed_.notify_all();
                        });
                        kept_[path] = {std::move(request), std::move(response)};
                        changed_.notify_all();
                      });
      EXPECT_TRUE(uplink_->start().ok());
    });
  }
  struct Kept {
    HttpRequest request;
    ResponseWriterPtr response;
  };
  /// The request for `path`, out of the tunnel.
  Kept request(const std::string& path) {
    std::unique_lock<std::mutex> lock(mutex_);
    const bool there = wait(lock, [&] { return kept_.count(path) != 0; });
    EXPECT_TRUE(there) << path;
    Kept kept = there ? kept_[path] : Kept{};
    kept_.erase(path);
    return kept;
  }
  bool gone(const std::string& path) {
    std::unique_lock<std::mutex> lock(mutex_);
    return wait(lock, [&] { return gone_[path] == 1; });
  }
  bool wait(std::unique_lock<std::mutex>& lock, const std::function<bool()>& condition) {
    return changed_.wait_for(lock, milliseconds(test::RawPeer::kDeadlineMs), condition);
  }
  /// Answers on the loop, and lets go of the writer.
  void respond(const std::string& path, const std::function<void(ResponseWriter&)>& answer) {
    Kept kept = request(path);
    thread_.call([&] {
      if (kept.response) answer(*kept.response);
      kept.response.reset();
    });
  }
  TunnelState state() {
    TunnelState now{};
    thread_.call([&] { now = uplink_->state(); });
    return now;
  }
  TunnelCounts counts() {
    TunnelCounts now;
    thread_.call([&] { now = uplink_->counts(); });
    return now;
  }
  bool settles(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + milliseconds(test::RawPeer::kDeadlineMs);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

  test::LoopThread thread_;
  RawHub hub_;
  TunnelPace pace_;
  TunnelLimits limits_;
  std::optional<Uplink> uplink_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Kept> kept_;
  std::map<std::string, int> gone_;
};

}  // namespace mayfly::relayd
