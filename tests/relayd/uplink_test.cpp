// The uplink asks its relay for work: what it says, what it takes, how it waits.
#include "relayd/uplink.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "tests/relayd/uplink_fixture.h"

namespace mayfly::relayd {
namespace {

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
  for (const int wait : {20, 60, 140, 150, 150, 0, 20}) {
    const auto before = std::chrono::steady_clock::now();
    wait == 0 ? poll.answer_204() : poll.answer("503 Service Unavailable", "");
    poll = hub_.next_poll();
    // Only lower bounds: a busy machine is slow, a timer is early by one unit of its clock at most.
    EXPECT_GE(std::chrono::steady_clock::now() - before, milliseconds(wait * 3 / 4 - 1));
    thread_.call([&] { EXPECT_EQ(uplink_->back_off(), milliseconds(wait)); });
  }
  // Polls that bring nothing at once are no hot loop.
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
