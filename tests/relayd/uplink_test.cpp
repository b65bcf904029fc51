// The uplink against a relay that is nothing but sockets.
#include "relayd/uplink.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "tests/common/loop_thread.h"
#include "tests/relayd/raw_hub.h"

namespace mayfly::relayd {
namespace {

using std::chrono::milliseconds;

WrappedRequest wrapped(const std::string& id, const std::string& uri, const std::string& method = "GET") {
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

TEST_F(UplinkTest, AsksAsTheOriginalDoes) {
  start();
  const auto poll = hub_.next_poll();
  EXPECT_EQ(poll.first_line(), "GET /7ZSFUKGV/http_listen/web-1 HTTP/1.1");
  EXPECT_EQ(poll.header("accept"), "*/*");
  EXPECT_EQ(poll.header("x-apikey"), "the key");
  EXPECT_EQ("http://" + poll.header("host") + "/7ZSFUKGV", hub_.url());
  EXPECT_EQ(poll.header("mayfly-version"), MAYFLY_VERSION);
  EXPECT_EQ(poll.header("mayfly-features"), "scope");
  EXPECT_EQ(std::count(poll.head.begin(), poll.head.end(), '\n'), 6) << poll.head;  // and no other header
}

TEST_F(UplinkTest, AnswersWhatItIsAsked) {
  start();
  auto poll = hub_.next_poll();
  poll.answer_list(
      {wrapped("01M7Z82ZHT2P219AJ4Q90T55WF", "/a/b?c=d&e#f"), wrapped("ID2", "/second", "HEAD")});
  poll = hub_.next_poll();  // at once, whatever becomes of the requests
  const Kept kept = request("/a/b");
  EXPECT_EQ(kept.request.method, "GET");
  EXPECT_EQ(kept.request.query, "c=d&e");
  EXPECT_EQ(kept.request.headers, (HttpHeaders{{"host", "relay.example"}}));
  EXPECT_EQ(kept.request.peer, "tunnel");
  EXPECT_TRUE(kept.request.tunnelled);
  thread_.call([&] { kept.response->send(200, {{"Content-Type", "text/plain"}}, "hello"); });
  auto post = hub_.next_post();
  EXPECT_EQ(post.first_line(), "POST /7ZSFUKGV/http_response/01M7Z82ZHT2P219AJ4Q90T55WF HTTP/1.1");
  EXPECT_EQ(post.header("content-length"), "5");
  EXPECT_EQ(post.header("x-apikey"), "the key");
  EXPECT_EQ(post.body(), "hello");
  EXPECT_EQ(post.magic().status, 200);
  EXPECT_EQ(post.magic().headers, (HttpHeaders{{"content-type", "text/plain"}, {"content-length", "5"}}));
  EXPECT_TRUE(kept.response->closed());
  EXPECT_EQ(counts().in_flight, 2u);
  post.answer("200 OK", "StreamFinished\n");
  EXPECT_TRUE(settles([&] { return counts().in_flight == 1; }));
  EXPECT_EQ(counts().requests, 2u);
  EXPECT_EQ(state(), TunnelState::connected);
}

TEST_F(UplinkTest, WhatHasNoBodySendsNone) {
  start();
  hub_.next_poll().answer_list({wrapped("1", "/head", "HEAD"), wrapped("2", "/204"), wrapped("3", "/304"),
                                wrapped("4", "/begun-head", "HEAD"), wrapped("5", "/503")});
  respond("/head", [](ResponseWriter& response) { response.send(200, {}, "twelve bytes"); });
  auto post = hub_.next_post();
  EXPECT_EQ(post.header("content-length"), "0");
  EXPECT_EQ(post.magic().headers, (HttpHeaders{{"content-length", "12"}}));
  for (const int status : {204, 304}) {
    respond("/" + std::to_string(status), [&](ResponseWriter& response) { response.send(status, {}, "x"); });
    post = hub_.next_post();
    EXPECT_EQ(post.header("content-length"), "0");
    EXPECT_EQ(post.magic().status, status);
    EXPECT_TRUE(post.magic().headers.empty());
  }
  respond("/begun-head", [](ResponseWriter& response) {
    response.begin(200, {});
    EXPECT_TRUE(response.closed());
    response.write("nothing of this");
    response.end();
  });
  post = hub_.next_post();
  EXPECT_EQ(post.header("content-length"), "0");
  EXPECT_EQ(post.header("transfer-encoding"), "");
  respond("/503", [](ResponseWriter& response) { send_problem(response, 503, "a", "b"); });
  post = hub_.next_post();
  EXPECT_EQ(post.magic().status, 503);
}

TEST_F(UplinkTest, AHeadRequestsStreamIsOverAtOnce) {
  start();
  hub_.next_poll().answer_list({wrapped("1", "/x", "HEAD")});
  const Kept kept = request("/x");
  bool called = false;
  thread_.call([&] {
    kept.response->begin(200, {});
    kept.response->on_closed([&] { called = true; });
    EXPECT_FALSE(called);
  });
  EXPECT_TRUE(settles([&] {
    bool now = false;
    thread_.call([&] { now = called; });
    return now;
  }));
}

TEST_F(UplinkTest, StreamsAreChunkedAndHaveNoEnd) {
  start();
  hub_.next_poll().answer_list({wrapped("1", "/tail")});
  const Kept kept = request("/tail");
  thread_.call([&] {
    kept.response->begin(200, {{"Content-Type", "text/event-stream"}});
    kept.response->write("first");
  });
  auto post = hub_.next_post();
  EXPECT_EQ(post.header("transfer-encoding"), "chunked");
  EXPECT_EQ(post.magic().headers, (HttpHeaders{{"content-type", "text/event-stream"}}));
  EXPECT_NE(post.peer->read_until("first").find("5\r\nfirst\r\n"), std::string::npos);
  thread_.call([&] { kept.response->write("second"); });
  EXPECT_NE(post.peer->read_until("second").find("6\r\nsecond\r\n"), std::string::npos);
  thread_.call([&] { kept.response->end(); });
  EXPECT_NE(post.peer->read_until("0\r\n\r\n").find("0\r\n\r\n"), std::string::npos);
  post.answer("200 OK", "StreamFinished\n");
  EXPECT_TRUE(settles([&] { return counts().in_flight == 0; }));
  EXPECT_EQ(gone_["/tail"], 0);
}

TEST_F(UplinkTest, AReaderThatLeftFreesItsStream) {
  start();
  hub_.next_poll().answer_list({wrapped("1", "/early"), wrapped("2", "/cut")});
  for (const std::string path : {"/early", "/cut"}) {
    const Kept kept = request(path);
    thread_.call([&] {
      kept.response->begin(200, {});
      kept.response->write("first");
    });
    auto post = hub_.next_post();
    post.peer->read_until("first");
    if (path == "/early") {
      post.answer("200 OK", "ClientDisconnected\n");
      EXPECT_TRUE(post.peer->read_to_end());
    } else {
      post.peer->close();
    }
    EXPECT_TRUE(gone(path)) << path;
    EXPECT_TRUE(kept.response->closed());
    thread_.call([&] {
      kept.response->write("nobody");
      EXPECT_EQ(kept.response->queued(), 0u);
    });
  }
  EXPECT_EQ(counts().in_flight, 0u);
}

TEST_F(UplinkTest, ASlowReaderIsSeenByTheHandler) {
  start();
  hub_.next_poll().answer_list({wrapped("1", "/tail")});
  const Kept kept = request("/tail");
  std::promise<void> drained;
  thread_.call([&] {
    kept.response->begin(200, {});
    kept.response->write(std::string(8 << 20, 'x'));
    EXPECT_GT(kept.response->queued(), 4u << 20);
    kept.response->on_drain(64 << 10, [&] { drained.set_value(); });
  });
  auto post = hub_.next_post();
  auto done = drained.get_future();
  while (done.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    post.peer->received.clear();
    ASSERT_TRUE(post.peer->read_more());
  }
  thread_.call([&] { EXPECT_LE(kept.response->queued(), 64u << 10); });
}

TEST_F(UplinkTest, WhatIsGivenUpIsStillAnswered) {
  start();
  hub_.next_poll().answer_list({wrapped("1", "/dropped"), wrapped("2", "/aborted"), wrapped("3", "/cut")});
  respond("/dropped", [](ResponseWriter&) {});
  EXPECT_EQ(hub_.next_post().magic().status, 500);
  respond("/aborted", [](ResponseWriter& response) { response.abort(); });
  EXPECT_EQ(hub_.next_post().magic().status, 500);
  const Kept kept = request("/cut");
  thread_.call([&] {
    kept.response->begin(200, {});
    kept.response->write("first");
  });
  auto post = hub_.next_post();
  post.peer->read_until("first");
  thread_.call([&] { kept.response->abort(); });
  EXPECT_TRUE(post.peer->read_to_end());
  EXPECT_EQ(post.peer->received.find("0\r\n\r\n"), std::string::npos);
}

TEST_F(UplinkTest, TheEndCutsWhatIsUnderWay) {
  start();
  hub_.next_poll().answer_list({wrapped("1", "/tail")});
  const Kept kept = request("/tail");
  thread_.call([&] {
    kept.response->begin(200, {});
    kept.response->write("first");
  });
  auto post = hub_.next_post();
  post.peer->read_until("first");
  thread_.call([&] { uplink_.reset(); });
  EXPECT_TRUE(post.peer->read_to_end());
  EXPECT_EQ(post.peer->received.find("0\r\n\r\n"), std::string::npos);
  thread_.call([&] {
    kept.response->write("into nothing");
    kept.response->end();
  });
}

TEST_F(UplinkTest, NonsenseGetsAnAnswerWhereOneIsPossible) {
  start();
  hub_.next_poll().answer_list({wrapped("1", ""), wrapped("2", "files/x"), wrapped("3", "/a b"),
                                wrapped("4", "/\xc3\xa9"), wrapped("", "/no-id"),
                                wrapped(std::string(300, 'i'), "/long-id"), wrapped("a/b?c#d", "/odd-id")});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(hub_.next_post().magic().status, 400);
  respond("/odd-id", [](ResponseWriter& response) { response.send(200, {}, ""); });
  EXPECT_EQ(hub_.next_post().first_line(), "POST /7ZSFUKGV/http_response/a%2Fb%3Fc%23d HTTP/1.1");
  EXPECT_EQ(counts().requests, 1u);
  EXPECT_EQ(counts().dropped, 2u);
}

TEST_F(UplinkTest, ADoubledIdIsAnsweredOnce) {
  start();
  hub_.next_poll().answer_list({wrapped("1", "/x"), wrapped("1", "/y")});
  hub_.next_poll().answer_list({wrapped("1", "/z"), wrapped("2", "/last")});
  respond("/last", [](ResponseWriter& response) { response.send(200, {}, "last"); });
  EXPECT_EQ(hub_.next_post().body(), "last");
  EXPECT_EQ(counts().requests, 2u);
  EXPECT_EQ(counts().dropped, 2u);
}

TEST_F(UplinkTest, TooManyAtOnceGet503) {
  limits_.in_flight = 2;
  limits_.refusals = 3;
  start();
  std::vector<WrappedRequest> list;
  for (int i = 0; i < 7; ++i) list.push_back(wrapped(std::to_string(i), "/" + std::to_string(i)));
  hub_.next_poll().answer_list(list);
  for (int i = 0; i < 3; ++i) {
    auto post = hub_.next_post();
    EXPECT_EQ(post.magic().status, 503);
    EXPECT_NE(post.body().find("too_many_requests"), std::string::npos);
    post.answer("200 OK", "StreamFinished\n");
  }
  EXPECT_TRUE(settles([&] { return counts().in_flight == 2; }));
  EXPECT_EQ(counts().refused, 3u);
  EXPECT_EQ(counts().dropped, 2u);
  respond("/0", [](ResponseWriter& response) { response.send(200, {}, "0"); });
  auto post = hub_.next_post();
  EXPECT_EQ(post.body(), "0");
  post.answer("200 OK", "StreamFinished\n");
  EXPECT_TRUE(settles([&] { return counts().in_flight == 1; }));
  hub_.next_poll().answer_list({wrapped("8", "/8")});
  respond("/8", [](ResponseWriter& response) { response.send(200, {}, "8"); });
  EXPECT_EQ(hub_.next_post().body(), "8");
}

TEST_F(UplinkTest, FailuresOfEveryKindAreOutlived) {
  start();
  hub_.next_poll().answer("500 Internal Server Error", "Server error\n");
  hub_.next_poll().answer("200 OK", "URL routing failed\n");
  EXPECT_EQ(state(), TunnelState::odd);
  hub_.next_poll().answer("401 Unauthorized", "Bad X-ApiKey\n");
  auto poll = hub_.next_poll();
  EXPECT_EQ(state(), TunnelState::refused);
  poll.answer("302 Found", "");
  // A connection that was used before may have grown old: libcurl tries a new one at once.
  hub_.next_poll().peer->close();
  hub_.next_poll().peer->close();
  poll = hub_.next_poll();
  EXPECT_EQ(state(), TunnelState::away);
  poll.answer("200 OK", "\x91\x92 broken");
  poll = hub_.next_poll();
  poll.peer->send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort");
  poll.peer->close();
  hub_.next_poll().answer_list({wrapped("1", "/x")});
  respond("/x", [](ResponseWriter& response) { response.send(200, {}, "at last"); });
  EXPECT_EQ(hub_.next_post().body(), "at last");
  EXPECT_EQ(state(), TunnelState::connected);
}

TEST_F(UplinkTest, AHubThatComesBackIsFound) {
  start();
  hub_.next_poll();
  hub_.stop();
  EXPECT_TRUE(settles([&] { return state() == TunnelState::away && counts().polls > 2; }));
  hub_.start_again();
  hub_.next_poll().answer_list({wrapped("1", "/x")});
  respond("/x", [](ResponseWriter& response) { response.send(200, {}, "again"); });
  EXPECT_EQ(hub_.next_post().body(), "again");
}

TEST_F(UplinkTest, AForgottenPollIsAskedAgain) {
  pace_.poll_limit = milliseconds(50);
  start();
  hub_.next_poll();  // never answered
  hub_.next_poll();
  hub_.next_poll().answer_204();
  EXPECT_TRUE(settles([&] { return state() == TunnelState::connected; }));
}

TEST_F(UplinkTest, AnOpenPollCountsAsConnected) {
  pace_.settled = milliseconds(1);
  start();
  hub_.next_poll();
  EXPECT_TRUE(settles([&] { return state() == TunnelState::connected; }));
}

TEST_F(UplinkTest, WaitsLongerAfterEachFailure) {
  pace_.first_retry = milliseconds(20);
  pace_.longest_loopback_retry = milliseconds(150);
  pace_.shortest_poll = milliseconds(30);
  start();
  auto poll = hub_.next_poll();
  // 20, 60, 140, 150, 150; shortened by up to a quarter. Only lower bounds: a busy machine is slow.
  for (const int least : {15, 45, 105, 112, 112}) {
    const auto before = std::chrono::steady_clock::now();
    poll.answer("503 Service Unavailable", "");
    poll = hub_.next_poll();
    EXPECT_GE(std::chrono::steady_clock::now() - before, milliseconds(least - 2));
  }
  // An answer in between forgives, 204 included; and polls that bring nothing at once are no hot loop.
  for (const bool empty_list : {false, true}) {
    const auto before = std::chrono::steady_clock::now();
    for (int i = 0; i < 3; ++i) {
      empty_list ? poll.answer_list({}) : poll.answer_204();
      poll = hub_.next_poll();
    }
    EXPECT_GE(std::chrono::steady_clock::now() - before, milliseconds(3 * (30 - 2)));
  }
}

TEST(Uplink, TheKeyGoesNowhereElse) {
  test::LoopThread thread;
  thread.call([&] {
    Uplink uplink(thread.loop(), {"http://hub.example/7ZSFUKGV", "web-1", "key", {}}, {}, {},
                  [](HttpRequest, ResponseWriterPtr) {});
    EXPECT_FALSE(uplink.start().ok());
  });
}

}  // namespace
}  // namespace mayfly::relayd
