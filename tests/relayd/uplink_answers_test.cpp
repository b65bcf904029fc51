// What comes through the tunnel, and how its answers leave.
#include "relayd/tunnel_response.h"

#include <gtest/gtest.h>

#include <future>
#include <string>

#include "tests/relayd/uplink_fixture.h"

namespace mayfly::relayd {
namespace {

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

TEST_F(UplinkTest, HeadersAreThoseOfAListenersAnswer) {
  start();
  hub_.next_poll().answer_list({wrapped("1", "/a"), wrapped("2", "/b", "HEAD"), wrapped("3", "/c")});
  const HttpHeaders headers = {{"Connection", "close"},  {"Transfer-Encoding", "chunked"},
                               {"Content-Length", "12"}, {"bad name", "x"},
                               {"Bad-Value", "a\r\nb"},  {"Good", "x"}};
  respond("/a", [&](ResponseWriter& response) { response.send(200, headers, "hello"); });
  EXPECT_EQ(hub_.next_post().magic().headers, (HttpHeaders{{"good", "x"}, {"content-length", "5"}}));
  respond("/b", [&](ResponseWriter& response) { response.send(200, headers, ""); });
  EXPECT_EQ(hub_.next_post().magic().headers, (HttpHeaders{{"good", "x"}, {"content-length", "12"}}));
  respond("/c", [&](ResponseWriter& response) {
    response.begin(200, headers);
    response.write("hello ");
    response.write("world!");
    response.end();
  });
  auto post = hub_.next_post();
  EXPECT_EQ(post.magic().headers, (HttpHeaders{{"good", "x"}, {"content-length", "12"}}));
  EXPECT_EQ(post.body(), "hello world!");
}

TEST_F(UplinkTest, ABodyThatBreaksItsLengthIsCut) {
  start();
  hub_.next_poll().answer_list({wrapped("1", "/short"), wrapped("2", "/long")});
  for (const std::string path : {"/short", "/long"}) {
    const Kept kept = request(path);
    thread_.call([&] {
      kept.response->begin(200, {{"Content-Length", "1000000"}});
      kept.response->write("first");
    });
    auto post = hub_.next_post();
    post.peer->read_until("first");
    thread_.call([&] {
      if (path == "/long") kept.response->write(std::string(1'000'000, 'x'));
      kept.response->end();
      EXPECT_TRUE(kept.response->closed());
    });
    EXPECT_TRUE(post.peer->read_to_end());
    EXPECT_LT(post.peer->received.size(), 100u);
  }
  EXPECT_TRUE(settles([&] { return counts().in_flight == 0; }));
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

}  // namespace
}  // namespace mayfly::relayd
