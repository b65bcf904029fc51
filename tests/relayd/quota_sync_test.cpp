// The fetcher against small hubs of every temper.
#include "relayd/quota_sync.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>

#include "common/http_server.h"
#include "tests/common/http_test_client.h"
#include "tests/common/loop_thread.h"

namespace mayfly::relayd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string document(const std::string& version, const std::string& name = "demo") {
  return R"({"version":")" + version + R"(","paused":false,"directories":[{"kind":"log","name":")" + name +
         R"("}]})";
}

class QuotaSyncTest : public ::testing::Test {
 protected:
  void SetUp() override {
    pace_.first_retry = milliseconds(5);
    pace_.longest_loopback_retry = milliseconds(20);
    pace_.poll = milliseconds(20);
    pace_.wait = seconds(1);
    pace_.answer_timeout = milliseconds(200);
  }
  void TearDown() override {
    thread_.call([&] {
      sync_.reset();
      hub_.reset();
    });
  }
  /// A hub whose answers `handler` gives.
  void start_hub(HttpHandler handler) {
    thread_.call([&] {
      hub_ = std::make_unique<HttpServer>(thread_.loop(), HttpServerOptions{}, std::move(handler));
      port_ = hub_->listen_tcp("127.0.0.1", 0).value();
    });
  }
  void start_sync(std::optional<shm::Rules> in_force = {}) {
    const QuotaSource source{"http://127.0.0.1:" + std::to_string(port_) + "/quotas", "secret", {}};
    thread_.call([&] {
      sync_.emplace(thread_.loop(), source, pace_, std::move(in_force), [this](const shm::Rules& rules) {
        const std::lock_guard<std::mutex> lock(mutex_);
        published_.push_back(rules);
        changed_.notify_all();
        return shm::Status();
      });
      EXPECT_TRUE(sync_->start().ok());
    });
  }
  /// Waits for the n-th publication and returns its version; "" when it does not come.
  std::string published(std::size_t n) {
    std::unique_lock<std::mutex> lock(mutex_);
    const bool there =
        changed_.wait_for(lock, test::TestConnection::kDeadline, [&] { return published_.size() >= n; });
    return there ? published_[n - 1].version : "";
  }
  /// Waits until the hub was asked `n` times.
  bool asked(int n) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, test::TestConnection::kDeadline, [&] { return asked_ >= n; });
  }
  void count_ask() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++asked_;
    changed_.notify_all();
  }
  std::size_t publications() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return published_.size();
  }

  test::LoopThread thread_;
  std::unique_ptr<HttpServer> hub_;
  std::uint16_t port_ = 0;
  QuotaPace pace_;
  std::optional<QuotaSync> sync_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<shm::Rules> published_;
  int asked_ = 0;
};

TEST_F(QuotaSyncTest, WaitsForChangesByETag) {
  ResponseWriterPtr parked;
  start_hub([&](HttpRequest request, ResponseWriterPtr response) {
    EXPECT_EQ(request.path, "/quotas");
    EXPECT_EQ(*request.header("x-apikey"), "secret");
    const std::string* match = request.header("if-none-match");
    if (match == nullptr) {
      EXPECT_EQ(request.query, "");
      response->send(200, {{"ETag", "\"1\""}}, document("v1"));
    } else {
      EXPECT_EQ(request.query, "wait=1");
      if (*match == "\"2\"") response->set_open_ended();
      if (*match == "\"1\"" || *match == "\"2\"") parked = std::move(response);
    }
    count_ask();
  });
  start_sync();
  EXPECT_EQ(published(1), "v1");
  ASSERT_TRUE(asked(2));
  thread_.call([&] {
    parked->send(200, {{"ETag", "\"2\""}}, document("v2"));
    parked.reset();
  });
  EXPECT_EQ(published(2), "v2");
  ASSERT_TRUE(asked(3));
  thread_.call([&] { parked.reset(); });
}

TEST_F(QuotaSyncTest, PollsAServerThatCannotWait) {
  start_hub([&](HttpRequest request, ResponseWriterPtr response) {
    EXPECT_EQ(request.header("if-none-match"), nullptr);
    count_ask();
    response->send(200, {}, document(asked_ < 4 ? "v1" : "v2"));
  });
  start_sync();
  EXPECT_EQ(published(1), "v1");
  EXPECT_EQ(published(2), "v2");  // the same again was not published anew
}

TEST_F(QuotaSyncTest, WhatIsInForceAlreadyIsNotPublishedAgain) {
  start_hub([&](HttpRequest, ResponseWriterPtr response) {
    count_ask();
    response->send(200, {}, document("v1"));
  });
  shm::Rules rules;
  rules.version = "v1";
  shm::Rule rule;
  rule.name = "demo";
  rule.birth = 7;  // the control segment's own
  rules.rules.push_back(rule);
  start_sync(rules);
  ASSERT_TRUE(asked(3));
  EXPECT_EQ(publications(), 0u);
}

TEST_F(QuotaSyncTest, OnlyACompleteValidAnswerCounts) {
  std::deque<std::function<void(ResponseWriterPtr)>> answers = {
      [](ResponseWriterPtr response) { response->send(500, {}, document("bad")); },
      [](ResponseWriterPtr response) { response->send(401, {}, document("bad")); },
      [](ResponseWriterPtr response) { response->send(204, {}, ""); },
      [](ResponseWriterPtr response) { response->send(304, {}, ""); },
      [](ResponseWriterPtr response) { response->send(206, {}, document("bad")); },
      [](ResponseWriterPtr response) {
        response->send(302, {{"Location", "/elsewhere"}}, document("bad"));
      },
      [](ResponseWriterPtr response) { response->send(200, {}, "garbage"); },
      [](ResponseWriterPtr response) { response->send(200, {}, ""); },
      [](ResponseWriterPtr response) { response->send(200, {}, "{}"); },
      [](ResponseWriterPtr response) { response->send(200, {}, document("bad", "../x")); },
      [](ResponseWriterPtr response) {
        response->begin(200, {});
        response->write(document("bad"));
        response->abort();  // the last chunk never comes
      },
      [](ResponseWriterPtr response) {
        response->send(200, {}, std::string(9 << 20, ' ') + document("bad"));
      },
  };
  start_hub([&](HttpRequest request, ResponseWriterPtr response) {
    EXPECT_EQ(request.path, "/quotas");
    count_ask();
    if (answers.empty()) return response->send(200, {}, document("good"));
    const auto answer = std::move(answers.front());
    answers.pop_front();
    answer(std::move(response));
  });
  start_sync();
  EXPECT_EQ(published(1), "good");
}

TEST_F(QuotaSyncTest, AServerThatSaysNothingIsTimedOut) {
  std::deque<ResponseWriterPtr> silent;
  start_hub([&](HttpRequest, ResponseWriterPtr response) {
    count_ask();
    if (silent.size() >= 2) return response->send(200, {}, document("v1"));
    silent.push_back(std::move(response));
  });
  start_sync();
  EXPECT_EQ(published(1), "v1");
  thread_.call([&] { silent.clear(); });
}

TEST_F(QuotaSyncTest, AHubThatIsAwayIsAskedAgain) {
  start_hub([](HttpRequest, ResponseWriterPtr) {});
  thread_.call([&] { hub_.reset(); });
  start_sync();
  const auto failing = [&] {
    std::string problem;
    thread_.call([&] { problem = sync_->problem(); });
    return !problem.empty();
  };
  while (!failing()) std::this_thread::yield();
  thread_.call([&] {
    hub_ = std::make_unique<HttpServer>(
        thread_.loop(), HttpServerOptions{},
        [](HttpRequest, ResponseWriterPtr response) { response->send(200, {}, document("v1")); });
    ASSERT_TRUE(hub_->listen_tcp("127.0.0.1", port_).ok());
  });
  EXPECT_EQ(published(1), "v1");
}

TEST_F(QuotaSyncTest, TheKeyGoesNowhereElse) {
  EXPECT_TRUE(may_carry_key("https://hub.example/x"));
  EXPECT_TRUE(may_carry_key("http://localhost:4000/x"));
  EXPECT_TRUE(may_carry_key("http://127.1.2.3/x"));
  EXPECT_TRUE(may_carry_key("http://[::1]:80/x"));
  for (const char* url :
       {"http://hub.example/x", "http://127.0.0.1.evil.example/", "http://127.0.0.1@evil.example/",
        "ftp://localhost/", "http://10.0.0.1/", "localhost", ""}) {
    EXPECT_FALSE(may_carry_key(url)) << url;
  }
  thread_.call([&] {
    sync_.emplace(thread_.loop(), QuotaSource{"http://hub.example/q", "secret", {}}, pace_, std::nullopt,
                  [](const shm::Rules&) { return shm::Status(); });
    EXPECT_FALSE(sync_->start().ok());
  });
}

}  // namespace
}  // namespace mayfly::relayd
