// Takes an answer apart from any connection, for requests that come as a tunnel hands them on.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/http_message.h"

namespace mayfly::test {

/// Written to on the loop's thread, looked at from the test's.
class CapturedResponse : public ResponseWriter {
 public:
  void send(int status, const HttpHeaders& headers, std::string_view body) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (ended_) return;
    status_ = status;
    headers_ = headers;
    body_ = body;
    finish();
  }
  void begin(int status, const HttpHeaders& headers) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    status_ = status;
    headers_ = headers;
    changed_.notify_all();
  }
  void write(std::string_view data) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (ended_) return;
    body_ += data;
    if (holding_) held_ += data.size();
    changed_.notify_all();
  }
  void end() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    finish();
  }
  void abort() override { end(); }
  std::size_t queued() const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return held_;
  }
  void on_drain(std::size_t, Callback callback) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    on_drain_.push_back(std::move(callback));
  }
  void on_closed(Callback callback) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    on_closed_.push_back(std::move(callback));
  }
  bool closed() const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return ended_;
  }
  void set_open_ended() override {}

  /// On the loop: the reader goes away.
  void hang_up() {
    std::vector<Callback> callbacks;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (ended_) return;
      finish();
      callbacks.swap(on_closed_);
    }
    for (const auto& callback : callbacks) callback();
  }
  /// On the loop: from now on nothing leaves, or all that was held back does.
  void hold(bool holding) {
    std::vector<Callback> callbacks;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      holding_ = holding;
      if (holding) return;
      held_ = 0;
      callbacks.swap(on_drain_);
    }
    for (const auto& callback : callbacks) callback();
  }

  /// True once the answer is complete, within a generous time.
  bool wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, kDeadline, [this] { return ended_; });
  }
  bool wait_for(const std::string& text) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, kDeadline, [&] { return body_.find(text) != std::string::npos; });
  }
  int status() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return status_;
  }
  std::string body() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return body_;
  }

 private:
  static constexpr std::chrono::seconds kDeadline{20};

  void finish() {
    ended_ = true;
    changed_.notify_all();
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int status_ = 0;
  HttpHeaders headers_;
  std::string body_;
  bool ended_ = false;
  bool holding_ = false;
  std::size_t held_ = 0;
  std::vector<Callback> on_closed_;
  std::vector<Callback> on_drain_;
};

}  // namespace mayfly::test
