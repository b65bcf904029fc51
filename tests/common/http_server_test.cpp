#include "common/http_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "tests/common/http_server_fixture.h"

namespace mayfly {
namespace {

using test::Signal;
using test::TestAnswer;
using test::TestConnection;

class HttpServerTest : public test::HttpServerFixture {};

void echo(HttpRequest request, ResponseWriterPtr response) {
  response->send(200, {{"Content-Type", "text/plain"}},
                 request.method + " " + request.path + " " + request.body);
}

TEST_F(HttpServerTest, AnswersOneAfterTheOtherOnOneConnection) {
  serve(echo);
  TestConnection connection(port_);
  EXPECT_EQ(connection.get("/1").body, "GET /1 ");
  connection.send(
      "POST /2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nabGET /3 HTTP/1.1\r\nHost: "
      "localhost\r\n\r\n");
  EXPECT_EQ(connection.read_answer().body, "POST /2 ab");
  EXPECT_EQ(connection.read_answer().body, "GET /3 ");
}

TEST_F(HttpServerTest, PipelinedRequestsWaitForTheAnswerBefore) {
  ResponseWriterPtr first;
  Signal arrived;
  std::atomic<int> handled = 0;
  serve([&](HttpRequest request, ResponseWriterPtr response) {
    ++handled;
    if (request.path == "/later") {
      first = std::move(response);
      return arrived.raise();
    }
    response->send(200, {}, request.path);
  });
  TestConnection connection(port_);
  connection.send("GET /later HTTP/1.1\r\nHost: localhost\r\n\r\nGET /2 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(arrived.wait());
  EXPECT_EQ(handled, 1);
  thread_.call([&] {
    first->send(200, {}, "/later");
    first.reset();
  });
  EXPECT_EQ(connection.read_answer().body, "/later");
  EXPECT_EQ(connection.read_answer().body, "/2");
}

TEST_F(HttpServerTest, HeadHasNoBody) {
  Signal closed;
  serve([&](HttpRequest request, ResponseWriterPtr response) {
    if (request.path == "/stream") {
      response->begin(200, {});
      EXPECT_TRUE(response->closed());
      response->on_closed([&] { closed.raise(); });
      return;
    }
    response->send(200, {}, "body");
  });
  TestConnection connection(port_);
  connection.send("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(connection.read_answer(true).headers["content-length"], "4");
  connection.send("HEAD /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(connection.read_answer(true).status, 200);
  EXPECT_TRUE(closed.wait());
  EXPECT_EQ(connection.get("/").body, "body");
}

TEST_F(HttpServerTest, ForeignHostNamesAreMisdirected) {
  HttpServerOptions options;
  options.hosts = {"relay.example.org"};
  serve(echo, options);
  const auto status = [&](const std::string& host, const std::string& path = "/") {
    TestConnection connection(port_);
    connection.send("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    return connection.read_answer().status;
  };
  for (const char* host :
       {"localhost", "LOCALHOST:1", "127.0.0.1:80", "127.9.9.9", "[::1]", "Relay.Example.org.:99"}) {
    EXPECT_EQ(status(host), 200) << host;
  }
  for (const char* host : {"evil.example", "relay.example.org.evil.example", "10.0.0.1", "localhost.evil",
                           "[::2]", "127.0.0.1.evil.example"}) {
    EXPECT_EQ(status(host), 421) << host;
  }
  for (const char* host : {"localhost:x", "localhost:", "a b", "a,b", "[::1", "a/b", "a@b", ""}) {
    EXPECT_EQ(status(host, "/healthz"), 400) << host;
  }
  EXPECT_EQ(status("evil.example", "/healthz"), 200);
  EXPECT_EQ(status("evil.example", "/readyz"), 200);
}

TEST_F(HttpServerTest, RefusesAndClosesWhatItCannotTrust) {
  serve(echo);
  TestConnection connection(port_);
  connection.send(
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
      "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n");
  TestAnswer answer = connection.read_answer();
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.headers["content-type"], "application/problem+json");
  EXPECT_EQ(answer.headers["connection"], "close");
  EXPECT_NE(answer.body.find("\"code\":\"bad_request\""), std::string::npos);
  EXPECT_TRUE(connection.read_to_end());
  EXPECT_EQ(connection.received(), "");
  EXPECT_EQ(counts().requests, 0u);
  EXPECT_EQ(counts().refused_requests, 1u);
}

TEST_F(HttpServerTest, AnswersAClientThatHalfCloses) {
  serve(echo);
  TestConnection connection(port_);
  connection.send("GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\nGET /2 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  connection.half_close();
  EXPECT_EQ(connection.read_answer().body, "GET /1 ");
  EXPECT_EQ(connection.read_answer().body, "GET /2 ");
  EXPECT_TRUE(connection.read_to_end());
}

TEST_F(HttpServerTest, OldClientsGetAnEndOfConnection) {
  serve([](HttpRequest, ResponseWriterPtr response) {
    response->begin(200, {});
    response->write("a");
    response->write("b");
    response->end();
  });
  TestConnection old(port_);
  old.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(old.read_to_end());
  EXPECT_EQ(old.read_answer().body, "ab");
  TestConnection connection(port_);
  EXPECT_EQ(connection.get("/").body, "ab");
}

/// Writes as much as its reader takes.
struct Firehose {
  ResponseWriterPtr response;
  std::size_t written = 0;
  std::size_t most_queued = 0;

  void pour(std::size_t total) {
    const std::string piece(16 << 10, 'x');
    while (written < total && response->queued() < (256 << 10)) {
      response->write(piece);
      written += piece.size();
      most_queued = std::max(most_queued, response->queued());
    }
    if (written >= total) return response->end();
    response->on_drain(64 << 10, [this, total] { pour(total); });
  }
};

TEST_F(HttpServerTest, StreamsOnlyAsFastAsTheClientReads) {
  constexpr std::size_t kTotal = 64 << 20;
  Firehose firehose;
  serve([&](HttpRequest, ResponseWriterPtr response) {
    response->begin(200, {});
    firehose.response = std::move(response);
    firehose.pour(kTotal);
  });
  TestConnection connection(port_);
  connection.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  std::size_t before = 0;
  ASSERT_TRUE(connection.read_until([&] { return !connection.received().empty(); }));
  thread_.call([&] { before = firehose.written; });
  EXPECT_LT(before, kTotal);
  ASSERT_TRUE(connection.read_to_end());
  const TestAnswer answer = connection.read_answer();
  EXPECT_TRUE(answer.complete);
  EXPECT_EQ(answer.body.size(), kTotal);
  thread_.call([&] {
    EXPECT_LT(firehose.most_queued, 512u << 10);
    firehose.response.reset();
  });
}

TEST_F(HttpServerTest, NoticesThatAStreamsReaderIsGone) {
  for (const bool half : {false, true}) {
    Signal begun;
    Signal closed;
    ResponseWriterPtr stream;
    serve([&](HttpRequest, ResponseWriterPtr response) {
      response->set_open_ended();
      response->begin(200, {});
      response->on_closed([&] { closed.raise(); });
      stream = std::move(response);
      begun.raise();
    });
    TestConnection connection(port_);
    connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ASSERT_TRUE(begun.wait());
    if (half) {
      connection.half_close();
    } else {
      connection.close();
    }
    EXPECT_TRUE(closed.wait());
    thread_.call([&] {
      EXPECT_TRUE(stream->closed());
      stream->write("nothing happens");
      stream.reset();
      server_.reset();
    });
  }
}

TEST_F(HttpServerTest, GivingUpIsAnAnswerToo) {
  serve([](HttpRequest request, ResponseWriterPtr response) {
    if (request.path == "/throw") throw std::runtime_error("no");
    if (request.path == "/abort") {
      response->begin(200, {});
      response->write("half");
      response->abort();
    }
  });
  EXPECT_EQ(test::http_get(port_, "/drop").status, 500);
  EXPECT_EQ(test::http_get(port_, "/throw").status, 500);
  EXPECT_FALSE(test::http_get(port_, "/abort").complete);
}

TEST_F(HttpServerTest, TurnsAwayWhomItCannotServe) {
  HttpServerOptions options;
  options.max_connections = 1;
  ResponseWriterPtr held;
  Signal arrived;
  serve(
      [&](HttpRequest, ResponseWriterPtr response) {
        held = std::move(response);
        arrived.raise();
      },
      options);
  TestConnection first(port_);
  first.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(arrived.wait());
  TestConnection second(port_);
  EXPECT_EQ(second.read_answer().status, 503);
  EXPECT_TRUE(second.read_to_end());
  thread_.call([&] {
    held->send(200, {}, "served all the same");
    held.reset();
  });
  EXPECT_EQ(first.read_answer().body, "served all the same");
  EXPECT_EQ(counts().refused_connections, 1u);
  EXPECT_EQ(counts().displaced_connections, 0u);
}

TEST_F(HttpServerTest, ASlowHeadIsCutOff) {
  HttpServerOptions options;
  options.request_timeout = std::chrono::seconds(1);
  serve(echo, options);
  TestConnection connection(port_);
  connection.send("GET / HTTP/1.1\r\nHost:");
  EXPECT_EQ(connection.read_answer().status, 408);
  EXPECT_TRUE(connection.read_to_end());
}

TEST_F(HttpServerTest, ContinueComesBeforeTheBody) {
  serve(echo);
  TestConnection connection(port_);
  connection.send("POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  const std::string interim = "HTTP/1.1 100 Continue\r\n\r\n";
  ASSERT_TRUE(connection.read_until([&] { return connection.received() == interim; }));
  connection.send("ok");
  ASSERT_TRUE(
      connection.read_until([&] { return connection.received().find("POST / ok") != std::string::npos; }));
}

TEST_F(HttpServerTest, UnixSocketsAndInheritedOnes) {
  serve(echo);
  char directory[] = "/tmp/mayfly-http-XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string path = std::string(directory) + "/http.sock";
  const auto listen = [&] {
    bool ok = false;
    thread_.call([&] { ok = server_->listen_unix(path, 0600, std::nullopt).ok(); });
    return ok;
  };
  EXPECT_TRUE(listen());
  EXPECT_FALSE(listen());  // it is live
  TestConnection connection(path);
  EXPECT_EQ(connection.get("/").body, "GET / ");
  thread_.call([&] { server_.reset(); });
  EXPECT_NE(access(path.c_str(), F_OK), 0);

  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  serve(echo);
  EXPECT_TRUE(listen());  // nobody listens on the file that is there
  thread_.call([&] { server_.reset(); });
  close(fd);

  const int inherited = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  serve(echo);
  thread_.call([&] { EXPECT_FALSE(server_->listen_fd(inherited).ok()); });
  ASSERT_EQ(::listen(inherited, 5), 0);
  sockaddr_in bound{};
  socklen_t size = sizeof(bound);
  ASSERT_EQ(getsockname(inherited, reinterpret_cast<sockaddr*>(&bound), &size), 0);
  thread_.call([&] { EXPECT_TRUE(server_->listen_fd(inherited).ok()); });
  EXPECT_EQ(test::http_get(ntohs(bound.sin_port), "/x").body, "GET /x ");
  rmdir(directory);
}

TEST(HttpMessage, AcceptNamesATypeExplicitly) {
  const auto accepts = [](const std::string& accept) { return accepts_explicitly(&accept, "text/plain"); };
  EXPECT_FALSE(accepts_explicitly(nullptr, "text/plain"));
  EXPECT_TRUE(accepts("text/plain"));
  EXPECT_TRUE(accepts("application/json, Text/Plain ; q=0.5"));
  EXPECT_TRUE(accepts("text/*"));
  EXPECT_FALSE(accepts("*/*"));
  EXPECT_FALSE(accepts("text/plain;q=0"));
  EXPECT_FALSE(accepts("text/plain; q=0.000"));
  EXPECT_FALSE(accepts("text/html"));
}

}  // namespace
}  // namespace mayfly
