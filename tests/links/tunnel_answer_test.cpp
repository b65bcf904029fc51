// Answers: which are taken, and what their readers get.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>
#include <utility>

#include "tunnel_fixture.h"

namespace mayfly::hubd {
namespace {

using std::chrono::milliseconds;
using test::http_get;
using test::TestAnswer;
using test::TestConnection;

class TunnelAnswerTest : public TunnelTest {
 protected:
  /// A reader's request that alpha has been handed.
  WrappedRequest ask(TestConnection& reader, const std::string& target = "/x",
                     const std::string& headers = "", const std::string& method = "GET") {
    reader.send(method + request_of("alpha", target, headers).substr(3));
    EXPECT_TRUE(has_waiting(1));
    return FakeServer(port(), "alpha").take();
  }
  TestAnswer post(const std::string& bytes) {
    TestConnection connection(port());
    connection.send(bytes);
    return connection.read_answer();
  }
  FakeServer alpha() const { return FakeServer(port(), "alpha"); }
};

TEST_F(TunnelAnswerTest, HeadAndBodyReachTheReader) {
  TestConnection reader(port());
  const auto request = ask(reader);
  const TestAnswer posted =
      alpha().answer(request.id, {200, {{"etag", "abc"}, {"content-type", "text/plain"}}}, "hello\n");
  EXPECT_EQ(posted.status, 200);
  EXPECT_EQ(posted.body, "StreamFinished\n");
  EXPECT_EQ(posted.headers.at("content-type"), "text/plain");
  const TestAnswer answer = reader.read_answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "hello\n");
  EXPECT_EQ(answer.headers.at("etag"), "abc");
  EXPECT_EQ(answer.headers.at("content-security-policy"), "sandbox; default-src 'none'");
  EXPECT_EQ(answer.headers.at("x-content-type-options"), "nosniff");
  EXPECT_EQ(state("alpha").in_flight, 0u);
  EXPECT_EQ(metrics().links.answered, 1u);
}

TEST_F(TunnelAnswerTest, ALengthInTheHeadIsTheLength) {
  TestConnection reader(port());
  alpha().answer(ask(reader).id, {404, {{"content-length", "10"}}}, "Not found\n");
  const TestAnswer answer = reader.read_answer();
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.headers.at("content-length"), "10");
  EXPECT_EQ(answer.body, "Not found\n");
}

TEST_F(TunnelAnswerTest, AShorterBodyIsACut) {
  TestConnection reader(port());
  const std::string id = ask(reader).id;
  TestConnection server(port());
  server.send(alpha().post(
      id,
      alpha().magic_line({200, {{"content-length", "10"}}}) + alpha().key_line() + "content-length: 4\r\n",
      "four"));
  server.read_answer();
  const TestAnswer answer = reader.read_answer();
  EXPECT_FALSE(answer.complete && answer.status == 200);
}

TEST_F(TunnelAnswerTest, ALongerBodyIsCutToTheLength) {
  TestConnection reader(port());
  alpha().answer(ask(reader).id, {200, {{"content-length", "4"}}}, "four and more");
  EXPECT_EQ(reader.read_answer().body, "four");
}

TEST_F(TunnelAnswerTest, WhatHasNoBodyDoesNotWaitForOne) {
  const std::pair<std::string, int> cases[] = {{"HEAD", 204}, {"HEAD", 200}, {"GET", 304}, {"GET", 204}};
  for (const auto& [method, status] : cases) {
    TestConnection reader(port()), server(port());
    const std::string id = ask(reader, "/x", "", method).id;
    // As the real server: announces 34 bytes and never sends one.
    server.send(alpha().post(id, alpha().magic_line({status, {{"etag", "e"}, {"content-length", "34"}}}) +
                                     alpha().key_line() + "content-length: 34\r\n"));
    const TestAnswer answer = reader.read_answer(true);
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.headers.at("etag"), "e");
    EXPECT_EQ(answer.headers.count("content-length"), status == 200 ? 1u : 0u);
    const TestAnswer posted = server.read_answer();
    EXPECT_EQ(posted.status, 200);
    EXPECT_EQ(posted.body, "ClientDisconnected\n");
    EXPECT_TRUE(server.read_to_end()) << "the rest is not waited for";
  }
}

TEST_F(TunnelAnswerTest, NoLengthAndNoChunksIsEmpty) {
  TestConnection reader(port()), server(port());
  const std::string id = ask(reader).id;
  server.send(
      alpha().post(id, alpha().magic_line({416, {{"content-range", "bytes */34"}}}) + alpha().key_line()));
  EXPECT_EQ(server.read_answer().body, "StreamFinished\n");
  const TestAnswer answer = reader.read_answer();
  EXPECT_EQ(answer.status, 416);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(answer.headers.at("content-range"), "bytes */34");
}

TEST_F(TunnelAnswerTest, IdsCountOnce) {
  TestConnection reader(port());
  const std::string id = ask(reader).id;
  EXPECT_EQ(alpha().answer(id, {200, {}}, "one").status, 200);
  const TestAnswer replayed = alpha().answer(id, {200, {}}, "two");
  EXPECT_EQ(replayed.status, 400);
  EXPECT_EQ(replayed.body, "Request ID not found in response_rendezvous\n");
  EXPECT_EQ(alpha().answer("01M7Z82ZHT2P219AJ4Q90T55WF", {200, {}}, "x").status, 400);
  EXPECT_EQ(reader.read_answer().body, "one");
  EXPECT_EQ(metrics().links.unknown_ids, 2u);
}

TEST_F(TunnelAnswerTest, OnlyTheServerThatWasAskedAnswers) {
  TestConnection reader(port());
  const std::string id = ask(reader).id;
  FakeServer beta(port(), "beta");
  EXPECT_EQ(beta.answer(id, {200, {}}, "mine now").status, 401);
  EXPECT_EQ(post(beta.post(id, beta.magic_line({200, {}}) + "content-length: 0\r\n")).body, "Bad X-ApiKey\n");
  EXPECT_EQ(metrics().links.wrong_keys, 2u);
  EXPECT_EQ(alpha().answer(id, {200, {}}, "right").status, 200);
  EXPECT_EQ(reader.read_answer().body, "right");
}

TEST_F(TunnelAnswerTest, HeadsThatCannotBeReadDisturbNobody) {
  TestConnection reader(port());
  const std::string id = ask(reader).id;
  for (const std::string& magic : std::vector<std::string>{
           "", "x-ptth-2ljyxwc4:\r\n", "x-ptth-2ljyxwc4: !!!\r\n", "x-ptth-2ljyxwc4: koEA\r\n",
           "x-ptth-2ljyxwc4: " + std::string(30000, 'A') + "\r\n"}) {
    const TestAnswer answer = post(alpha().post(id, magic + alpha().key_line() + "content-length: 0\r\n"));
    EXPECT_EQ(answer.status, 500) << magic.substr(0, 50);
    EXPECT_EQ(answer.body, "Error in relay\n");
  }
  EXPECT_EQ(metrics().links.bad_heads, 5u);
  EXPECT_EQ(alpha().answer(id, {200, {}}, "better").status, 200);
  EXPECT_EQ(reader.read_answer().body, "better");
}

TEST_F(TunnelAnswerTest, HeadersThatWouldEndEarlyAreRefused) {
  for (const auto& header : HttpHeaders{
           {"x-a", "1\r\nset-cookie: a=b"}, {"x-a", std::string("a\0b", 3)}, {"x a", "1"}, {"x-a", "1\n"}}) {
    TestConnection reader(port());
    const std::string id = ask(reader).id;
    const TestAnswer posted = alpha().answer(id, {200, {header}}, "body");
    EXPECT_EQ(posted.status, 200);
    EXPECT_EQ(posted.body, "ClientDisconnected\n");
    const TestAnswer answer = reader.read_answer();
    EXPECT_EQ(answer.status, 502);
    EXPECT_EQ(answer.body, "Error in relay\n");
    EXPECT_EQ(answer.headers.count("set-cookie"), 0u);
  }
  EXPECT_EQ(metrics().links.broken, 4u);
}

TEST_F(TunnelAnswerTest, AServerThatNeverAnswers) {
  options_.head_timeout = milliseconds(50);
  TestConnection reader(port());
  reader.send(request_of("alpha"));
  const TestAnswer answer = reader.read_answer();
  EXPECT_EQ(answer.status, 504);
  EXPECT_EQ(answer.body, "Remote server never responded\n");
  EXPECT_TRUE(has_waiting(0)) << "nobody asks for what nobody waits for";
  EXPECT_EQ(metrics().links.timed_out, 1u);
}

TEST_F(TunnelAnswerTest, OtherMethodsAreRefusedHere) {
  const auto text = [&](const std::string& method) {
    TestConnection connection(port());
    connection.send(method + request_of("alpha", "/x", "Content-Length: 0\r\n").substr(3));
    return connection.read_answer().body;
  };
  EXPECT_EQ(text("POST"), "Can't POST this\n");
  for (const char* method : {"PUT", "DELETE", "OPTIONS", "FOO"}) EXPECT_EQ(text(method), "Bad request\n");
  EXPECT_EQ(http_get(port(), "/to/nobody/x").body, "Unknown server\n");
  EXPECT_EQ(metrics().links.in_flight + metrics().links.waiting, 0u);
}

TEST_F(TunnelAnswerTest, AReaderWhoGoesEndsTheAnswer) {
  TestConnection server(port());
  {
    TestConnection reader(port());
    const std::string id = ask(reader).id;
    server.send(alpha().post(
        id, alpha().magic_line({200, {}}) + alpha().key_line() + "transfer-encoding: chunked\r\n",
        "5\r\nhello\r\n"));
    EXPECT_TRUE(reader.read_body_until("hello"));
  }
  const TestAnswer posted = server.read_answer();
  EXPECT_EQ(posted.status, 200);
  EXPECT_EQ(posted.body, "ClientDisconnected\n");
  EXPECT_TRUE(server.read_to_end());
  EXPECT_TRUE(has_in_flight(0));
}

TEST_F(TunnelAnswerTest, AServerThatVanishesIsSeen) {
  TestConnection reader(port());
  const std::string id = ask(reader).id;
  {
    TestConnection server(port());
    server.send(alpha().post(
        id, alpha().magic_line({200, {}}) + alpha().key_line() + "transfer-encoding: chunked\r\n",
        "5\r\nhello\r\n"));
    EXPECT_TRUE(reader.read_body_until("hello"));
  }
  EXPECT_TRUE(reader.read_to_end());
  EXPECT_FALSE(reader.read_answer().complete);
  EXPECT_EQ(metrics().links.cut, 1u);
}

TEST_F(TunnelAnswerTest, ARevokedServerIsCutOff) {
  TestConnection reader(port()), server(port());
  const std::string id = ask(reader).id;
  server.send(
      alpha().post(id, alpha().magic_line({200, {}}) + alpha().key_line() + "transfer-encoding: chunked\r\n",
                   "5\r\nhello\r\n"));
  EXPECT_TRUE(reader.read_body_until("hello"));
  set_servers({{"alpha", "another key"}});
  EXPECT_TRUE(reader.read_to_end());
  EXPECT_FALSE(reader.read_answer().complete);
}

TEST_F(TunnelAnswerTest, ASilentEventStreamOfOursIsCut) {
  stop();
  start({.stream_silence = milliseconds(20), .stream_check = milliseconds(10)});
  FakeServer poller(port(), "alpha");
  poller.send_poll("mayfly-version: 1\r\n");
  ASSERT_TRUE(has_parked(1));
  TestConnection reader(port()), server(port());
  reader.send(request_of("alpha"));
  const std::string id = poller.read_requests().at(0).id;
  server.send(alpha().post(id,
                           alpha().magic_line({200, {{"content-type", "text/event-stream"}}}) +
                               alpha().key_line() + "transfer-encoding: chunked\r\n",
                           "5\r\nhello\r\n"));
  EXPECT_TRUE(reader.read_to_end());
  EXPECT_FALSE(reader.read_answer().complete);
  EXPECT_EQ(metrics().links.cut, 1u);
}

// A slow reader holds back his own server's connection, and nobody else's.
TEST_F(TunnelAnswerTest, ASlowReaderHoldsBackItsOwnAnswerOnly) {
  TestConnection slow(port());
  const std::string id = ask(slow).id;
  constexpr std::size_t kTotal = 48 << 20;
  std::atomic<std::size_t> sent{0};
  TestConnection server(port());
  server.send(alpha().post(id, alpha().magic_line({200, {{"content-length", std::to_string(kTotal)}}}) +
                                   alpha().key_line() + "content-length: " + std::to_string(kTotal) +
                                   "\r\n"));
  std::thread sender([&] {
    const std::string piece(64 << 10, 'x');
    while (sent < kTotal && server.send(piece)) sent += piece.size();
  });
  // Until it stands still: the sockets' buffers are full.
  std::size_t before = 0;
  EXPECT_TRUE(eventually([&] {
    std::this_thread::sleep_for(milliseconds(100));
    return sent > 0 && std::exchange(before, sent.load()) == sent;
  }));
  EXPECT_LT(sent, kTotal);
  EXPECT_LT(metrics().links.body_bytes, sent + 1);
  TestConnection quick(port());
  alpha().answer(ask(quick, "/quick").id, {200, {}}, "quick");
  EXPECT_EQ(quick.read_answer().body, "quick");
  EXPECT_TRUE(slow.read_until([&] { return slow.received().size() >= kTotal; }));
  sender.join();
  EXPECT_EQ(sent, kTotal);
  EXPECT_EQ(server.read_answer().body, "StreamFinished\n");
}

TEST_F(TunnelAnswerTest, AReaderWhoTakesNothingIsCutOff) {
  stop();
  start({.reader_stall = milliseconds(50), .stream_check = milliseconds(10)});
  TestConnection stuck(port()), server(port());
  const std::string id = ask(stuck).id;
  server.send(alpha().post(
      id, alpha().magic_line({200, {}}) + alpha().key_line() + "transfer-encoding: chunked\r\n"));
  const std::string piece = "10000\r\n" + std::string(65536, 'x') + "\r\n";
  while (server.send(piece) && metrics().links.cut == 0) {
  }
  EXPECT_EQ(metrics().links.cut, 1u);
}

TEST_F(TunnelAnswerTest, ScopesGoOnlyToServersThatHonourThem) {
  scope_ = Scope{false, {"app-", "a,b%"}};
  EXPECT_EQ(http_get(port(), "/to/alpha/x").status, 503) << "not yet known";
  FakeServer poller(port(), "alpha");
  poller.send_poll();
  ASSERT_TRUE(has_parked(1));
  EXPECT_EQ(http_get(port(), "/to/alpha/x").body, "Unknown server\n");
  FakeServer beta(port(), "beta");
  beta.send_poll("mayfly-features: scope\r\n");
  ASSERT_TRUE(has_parked(2));
  TestConnection reader(port());
  reader.send(request_of("beta", "/x", "mayfly-scope: \r\nMayfly-Scope: everything\r\n"));
  const auto request = beta.read_requests().at(0);
  EXPECT_THAT(request.headers,
              testing::ElementsAre(std::pair<std::string, std::string>("host", "localhost"),
                                   std::pair<std::string, std::string>("mayfly-scope", "app-,a%2Cb%25")));
  scope_ = Scope{};
  EXPECT_EQ(http_get(port(), "/to/beta/x").body, "Unknown server\n");
}

TEST_F(TunnelAnswerTest, AReadersSecretsStayHere) {
  TestConnection reader(port());
  const auto request =
      ask(reader, "/x",
          "Cookie: session=1\r\nAuthorization: Bearer x\r\nX-ApiKey: k\r\nProxy-Authorization: p\r\n"
          "Connection: x-named, close\r\nX-Named: 1\r\nTE: trailers\r\nUpgrade: h2c\r\n"
          "Origin: http://localhost\r\nReferer: http://localhost/frontend/servers/beta/\r\n"
          "X-Rep: one\r\nX-Rep: two\r\nRange: bytes=1-2\r\nAccept: text/html\r\n");
  EXPECT_THAT(request.headers,
              testing::UnorderedElementsAre(std::pair<std::string, std::string>("host", "localhost"),
                                            std::pair<std::string, std::string>("x-rep", "one, two"),
                                            std::pair<std::string, std::string>("range", "bytes=1-2"),
                                            std::pair<std::string, std::string>("accept", "text/html")));
}

TEST_F(TunnelAnswerTest, AHostileServerGainsNothing) {
  TestConnection reader(port());
  alpha().answer(ask(reader).id,
                 {200,
                  {{"set-cookie", "session=evil"},
                   {"service-worker-allowed", "/"},
                   {"access-control-allow-origin", "*"},
                   {"clear-site-data", "\"*\""},
                   {"refresh", "0;url=//evil.example"},
                   {"link", "</x>; rel=preload"},
                   {"content-security-policy", "default-src *"},
                   {"strict-transport-security", "max-age=1"},
                   {"location", "//evil.example/"},
                   {"www-authenticate", "Basic"},
                   {"x-accel-redirect", "/etc/passwd"},
                   {"alt-svc", "h3=\":1\""},
                   {"connection", "close"},
                   {"transfer-encoding", "chunked"},
                   {"x-plain", "stays"},
                   {"mayfly-seq", "7"}}},
                 "<script>1</script>");
  const TestAnswer answer = reader.read_answer();
  std::vector<std::string> names;
  for (const auto& [name, value] : answer.headers) names.push_back(name);
  EXPECT_THAT(names, testing::UnorderedElementsAre("date", "transfer-encoding", "cache-control",
                                                   "content-security-policy", "x-content-type-options",
                                                   "x-plain", "mayfly-seq"));
  EXPECT_EQ(answer.headers.at("content-security-policy"), "sandbox; default-src 'none'");
}

}  // namespace
}  // namespace mayfly::hubd
