// Bodies that are handed on while they arrive (HttpServerOptions::streams_body).
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "tests/common/http_server_fixture.h"

namespace mayfly {
namespace {

using test::Signal;
using test::TestAnswer;
using test::TestConnection;

constexpr char kChunked[] = "POST /up HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string with_length(std::size_t size, const std::string& more = {}) {
  return "POST /up HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(size) + "\r\n" + more +
         "\r\n";
}

/// Takes bodies of POSTs and answers with their size when they end. Touched on the loop only, but
/// for the signals and numbers.
class HttpBodyTest : public test::HttpServerFixture {
 protected:
  void serve_bodies(HttpServerOptions options = {}) {
    options.streams_body = [](const HttpRequest& head) { return head.method == "POST"; };
    serve([this](HttpRequest request,
                 ResponseWriterPtr response) { take(std::move(request), std::move(response)); },
          options);
  }

  void take(HttpRequest request, ResponseWriterPtr response) {
    if (!request.body_reader) return response->send(200, {}, "plain " + request.path + " " + request.body);
    response_ = std::move(response);
    reader_ = std::move(request.body_reader);
    size_ = 0;
    if (on_head_) return on_head_();
    read();
  }

  void read() {
    reader_->read(
        [this](std::string_view piece) {
          size_ += piece.size();
          largest_ = std::max<std::size_t>(largest_, piece.size());
          if (keep_) body_ += piece;
          if (on_piece_) on_piece_();
        },
        [this](bool complete) {
          complete_ = complete;
          reader_.reset();
          if (response_) response_->send(200, {}, std::to_string(size_));
          response_.reset();
          ended_.raise();
        });
  }

  void TearDown() override {
    thread_.call([&] {
      response_.reset();
      reader_.reset();
    });
    HttpServerFixture::TearDown();
  }

  std::function<void()> on_head_;   // instead of reading at once
  std::function<void()> on_piece_;  // after each piece
  ResponseWriterPtr response_;
  std::shared_ptr<BodyReader> reader_;
  std::atomic<std::size_t> size_ = 0;
  std::atomic<std::size_t> largest_ = 0;
  std::atomic<bool> complete_ = false;
  bool keep_ = true;
  std::string body_;
  Signal ended_;
};

TEST_F(HttpBodyTest, TakesBothFramingsAndGoesOn) {
  serve_bodies();
  TestConnection connection(port_);
  connection.send(with_length(5) + "hello" + kChunked + "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n" + with_length(0) +
                  "GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(connection.read_answer().body, "5");
  EXPECT_EQ(connection.read_answer().body, "6");
  EXPECT_EQ(connection.read_answer().body, "0");
  EXPECT_EQ(connection.read_answer().body, "plain /next ");
  EXPECT_TRUE(complete_);
  EXPECT_EQ(body_, "hellohello!");
}

TEST_F(HttpBodyTest, TakesBodiesInAnyPieces) {
  serve_bodies();
  const std::string request = std::string(kChunked) + "0005\r\nhello\r\nA\r\n 123456789\r\n0\r\n\r\n";
  TestConnection connection(port_);
  for (const char byte : request) ASSERT_TRUE(connection.send({&byte, 1}));
  EXPECT_EQ(connection.read_answer().body, "15");
  EXPECT_EQ(body_, "hello 123456789");
  for (const char byte : std::string(kChunked) + "0\r\n\r\n") ASSERT_TRUE(connection.send({&byte, 1}));
  EXPECT_EQ(connection.read_answer().body, "0");
}

TEST_F(HttpBodyTest, HoldsBackASenderWhoseTakerPauses) {
  constexpr std::size_t kTotal = 64 << 20;
  keep_ = false;
  Signal paused;
  on_piece_ = [&] {
    if (size_ < (1 << 20) || paused.raised()) return;
    reader_->pause(true);
    paused.raise();
  };
  serve_bodies();
  TestConnection connection(port_);
  std::atomic<std::size_t> sent = 0;
  std::thread sender([&] {
    connection.send(with_length(kTotal));
    const std::string piece(1 << 20, 'x');
    for (std::size_t i = 0; i < kTotal && connection.send(piece); i += piece.size()) sent += piece.size();
  });
  ASSERT_TRUE(paused.wait());
  std::size_t taken = 0;
  thread_.call([&] { taken = size_; });
  // Other connections are served meanwhile, and nothing more is taken.
  for (int i = 0; i < 10; ++i) EXPECT_EQ(test::http_get(port_, "/").status, 200);
  thread_.call([&] {
    EXPECT_EQ(size_, taken);
    EXPECT_LT(sent, kTotal);  // the sockets hold a few MiB at most
    reader_->pause(false);
  });
  EXPECT_EQ(connection.read_answer().body, std::to_string(kTotal));
  sender.join();
  EXPECT_LE(largest_, 65536u);
}

TEST_F(HttpBodyTest, AsksForTheBodyWhenTheTakerDoes) {
  Signal head;
  on_head_ = [&] { head.raise(); };
  serve_bodies();
  TestConnection connection(port_);
  connection.send(with_length(2, "Expect: 100-continue\r\n"));
  ASSERT_TRUE(head.wait());
  EXPECT_EQ(connection.received(), "");
  thread_.call([&] { read(); });
  const std::string interim = "HTTP/1.1 100 Continue\r\n\r\n";
  ASSERT_TRUE(connection.read_until([&] { return connection.received() == interim; }));
  connection.send("ok");
  ASSERT_TRUE(
      connection.read_until([&] { return connection.received().find("\r\n\r\n2") != std::string::npos; }));
}

TEST_F(HttpBodyTest, AnEarlyAnswerDoesNotWaitForTheBody) {
  for (const bool reads : {false, true}) {
    Signal cut;
    on_head_ = [&] {
      if (reads)
        reader_->read([](std::string_view) {}, [&](bool complete) { complete ? void() : cut.raise(); });
      response_->send(200, {}, "done\n");
    };
    serve_bodies();
    TestConnection connection(port_);
    connection.send(with_length(34));  // of a HEAD's answer: it never comes
    TestAnswer answer = connection.read_answer();
    EXPECT_EQ(answer.body, "done\n");
    EXPECT_EQ(answer.headers["connection"], "close");
    EXPECT_TRUE(connection.read_to_end());
    EXPECT_TRUE(!reads || cut.wait());
  }
}

TEST_F(HttpBodyTest, AnEarlyAnswerArrivesWhileTheSenderIsSending) {
  keep_ = false;
  on_piece_ = [&] {
    if (response_ && size_ > (1 << 20)) response_->send(200, {}, "gone\n");
  };
  serve_bodies();
  TestConnection connection(port_);
  std::thread sender([&] {
    connection.send(kChunked);
    const std::string chunk = "10000\r\n" + std::string(65536, 'x') + "\r\n";
    for (int i = 0; i < 1 << 14 && connection.send(chunk); ++i) {
    }  // 1 GiB, which the server does not want: ends when it closes
  });
  EXPECT_EQ(connection.read_answer().body, "gone\n");
  EXPECT_TRUE(connection.read_to_end());
  sender.join();
  EXPECT_TRUE(ended_.wait());
  EXPECT_FALSE(complete_);
}

TEST_F(HttpBodyTest, TellsThatTheSenderIsGone) {
  Signal begun;
  on_piece_ = [&] { begun.raise(); };
  serve_bodies();
  TestConnection connection(port_);
  connection.send(with_length(100) + "some");
  ASSERT_TRUE(begun.wait());
  connection.close();
  EXPECT_TRUE(ended_.wait());
  EXPECT_FALSE(complete_);
}

TEST_F(HttpBodyTest, TellsThatTheSenderStoppedHalfWay) {
  serve_bodies();
  TestConnection connection(port_);
  connection.send(with_length(100) + "some");
  connection.half_close();
  EXPECT_EQ(connection.read_answer().headers["connection"], "close");
  EXPECT_TRUE(connection.read_to_end());
  EXPECT_TRUE(ended_.wait());
  EXPECT_FALSE(complete_);
  EXPECT_EQ(body_, "some");
}

TEST_F(HttpBodyTest, BrokenFramingIsAnsweredAndNothingBehindItIsRead) {
  serve_bodies();
  TestConnection connection(port_);
  connection.send(std::string(kChunked) +
                  "5\r\nhelloXX\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(connection.read_answer().status, 400);
  EXPECT_TRUE(connection.read_to_end());
  EXPECT_EQ(connection.received(), "");
  EXPECT_TRUE(ended_.wait());
  EXPECT_FALSE(complete_);
  EXPECT_EQ(counts().requests, 1u);
  EXPECT_EQ(counts().refused_requests, 1u);
}

/// True once so many requests without an end were cut off: time has passed for the server.
bool request_timeouts_pass(std::uint16_t port, int times) {
  for (int i = 0; i < times; ++i) {
    TestConnection slow(port);
    slow.send("GET /");
    if (slow.read_answer().status != 408) return false;
  }
  return true;
}

TEST_F(HttpBodyTest, ASlowSenderThatLivesIsWaitedFor) {
  HttpServerOptions options;
  options.request_timeout = options.stall_timeout = options.idle_timeout = std::chrono::seconds(1);
  options.body_timeout = std::chrono::seconds(60);
  serve_bodies(options);
  TestConnection connection(port_);
  connection.send(with_length(3));
  for (const char* byte : {"a", "b", "c"}) {
    ASSERT_TRUE(request_timeouts_pass(port_, 1));
    connection.send(byte);
  }
  EXPECT_EQ(connection.read_answer().body, "3");
}

TEST_F(HttpBodyTest, ASilentSenderIsCutOffButNotWhileItsTakerPauses) {
  HttpServerOptions options;
  options.body_timeout = options.request_timeout = std::chrono::seconds(1);
  on_head_ = [&] {
    reader_->pause(true);
    read();
  };
  serve_bodies(options);
  TestConnection connection(port_);
  connection.send(with_length(10) + "some");
  ASSERT_TRUE(request_timeouts_pass(port_, 3));
  EXPECT_FALSE(ended_.raised());
  thread_.call([&] { reader_->pause(false); });
  EXPECT_EQ(connection.read_answer().status, 408);
  EXPECT_TRUE(connection.read_to_end());
  EXPECT_TRUE(ended_.wait());
  EXPECT_FALSE(complete_);
  EXPECT_EQ(body_, "some");
}

TEST_F(HttpBodyTest, AReaderThatIsDroppedBreaksNothing) {
  on_head_ = [&] {
    reader_.reset();
    response_->send(202, {}, "later");
    response_.reset();
  };
  serve_bodies();
  TestConnection connection(port_);
  connection.send(with_length(4) + "bodyGET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(connection.read_answer().status, 202);
  EXPECT_TRUE(connection.read_to_end());  // what followed was never taken for a request
  EXPECT_EQ(counts().requests, 1u);
}

TEST_F(HttpBodyTest, AnAnswerThatIsGivenUpEndsTheBody) {
  on_piece_ = [&] {
    if (response_) response_->abort();
  };
  serve_bodies();
  TestConnection connection(port_);
  connection.send(with_length(4) + "bo");
  EXPECT_TRUE(connection.read_to_end());
  EXPECT_TRUE(ended_.wait());
  EXPECT_FALSE(complete_);
}

TEST_F(HttpBodyTest, ClosingTheServerEndsTheBody) {
  Signal begun;
  on_piece_ = [&] { begun.raise(); };
  serve_bodies();
  TestConnection connection(port_);
  connection.send(with_length(4) + "bo");
  ASSERT_TRUE(begun.wait());
  thread_.call([&] { server_->close(); });
  EXPECT_TRUE(ended_.wait());
  EXPECT_FALSE(complete_);
}

}  // namespace
}  // namespace mayfly
