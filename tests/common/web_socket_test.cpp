#include "common/web_socket.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "common/web_socket_handshake.h"
#include "tests/common/http_server_fixture.h"
#include "tests/common/web_socket_client.h"

namespace mayfly {
namespace {

using test::close_payload;
using test::Frame;
using test::frame_bytes;
using test::frame_head;
using test::Signal;
using test::TestConnection;
using test::WebSocketClient;

/// Echoes every message.
class WebSocketTest : public test::HttpServerFixture {
 protected:
  void serve_echo() {
    serve([this](HttpRequest request, ResponseWriterPtr response) {
      socket_ = WebSocket::accept(request, *response);
      if (!socket_) return refused_.raise();
      EXPECT_TRUE(response->closed());
      socket_->start(
          [this](std::string_view text) {
            if (on_text_) return on_text_(text);
            socket_->send_text(text);
          },
          [this] { closed_.raise(); });
    });
  }
  void TearDown() override {
    thread_.call([&] { socket_.reset(); });
    HttpServerFixture::TearDown();
  }
  /// The close code after `bytes`.
  unsigned code_after(const std::string& bytes) {
    serve_echo();
    WebSocketClient client(port_);
    EXPECT_TRUE(client.open());
    client.connection.send(bytes);
    return client.read_close();
  }

  std::function<void(std::string_view)> on_text_;
  std::shared_ptr<WebSocket> socket_;
  Signal refused_;
  Signal closed_;
};

TEST_F(WebSocketTest, ShakesHandsAsTheRfcDoes) {
  serve_echo();
  WebSocketClient client(port_);
  ASSERT_TRUE(client.open("Origin: http://localhost\r\n"));
  EXPECT_NE(client.head.find("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
            std::string::npos);
  EXPECT_NE(client.head.find("\r\nUpgrade: websocket\r\n"), std::string::npos);
  EXPECT_NE(client.head.find("\r\nConnection: Upgrade\r\n"), std::string::npos);
  EXPECT_EQ(client.head.find("Content-Length"), std::string::npos);
  client.send({1, "hello"});
  const auto frame = client.read();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->opcode, 1u);
  EXPECT_FALSE(frame->mask);
  EXPECT_EQ(frame->payload, "hello");
}

TEST_F(WebSocketTest, RefusesWhatIsNoHandshake) {
  const std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  const std::string good = "Upgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
  const struct {
    std::string headers;
    int status;
  } cases[] = {
      {"", 426},
      {"Upgrade: h2c\r\nConnection: Upgrade\r\n" + key, 426},
      {"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" + key, 400},
      {"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n" + key, 426},
      {good, 400},
      {good + "Sec-WebSocket-Key: short==\r\n", 400},
      {good + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=!\r\n", 400},
      {good + key + "Origin: https://evil.example\r\n", 403},
      {good + key + "Origin: http://localhost:99\r\n", 403},
      {good + key + "Origin: null\r\n", 403},
      {good + key + "Origin: http://localhost.evil.example\r\n", 403},
  };
  serve_echo();
  for (const auto& test : cases)
    EXPECT_EQ(test::http_get(port_, "/ws", test.headers).status, test.status) << test.headers;
  TestConnection old(port_);
  old.send("GET /ws HTTP/1.0\r\nHost: localhost\r\n" + good + key + "\r\n");
  EXPECT_EQ(old.read_answer().status, 400);
  auto answer = test::http_get(port_, "/ws");
  EXPECT_EQ(answer.headers["upgrade"], "websocket");
  EXPECT_EQ(answer.headers["sec-websocket-version"], "13");
}

TEST(WebSocketOrigin, IsThatOfTheHost) {
  EXPECT_TRUE(is_same_origin("http://localhost:4000", "localhost:4000"));
  EXPECT_TRUE(is_same_origin("https://Relay.example.org", "relay.example.org"));
  EXPECT_TRUE(is_same_origin("https://relay.example.org", "relay.example.org:443"));
  EXPECT_TRUE(is_same_origin("http://[::1]:4000", "[::1]:4000"));
  EXPECT_FALSE(is_same_origin("http://relay.example.org", "relay.example.org:443"));
  EXPECT_FALSE(is_same_origin("ftp://localhost", "localhost"));
  EXPECT_FALSE(is_same_origin("http://", ""));
  EXPECT_FALSE(is_same_origin("", "localhost"));
}

TEST_F(WebSocketTest, TakesFragmentsAndControlFramesBetweenThem) {
  serve_echo();
  WebSocketClient client(port_);
  ASSERT_TRUE(client.open());
  const std::string bytes = frame_bytes({1, "caf\xc3", false}) + frame_bytes({9, "ping"}) +
                            frame_bytes({0, "", false}) + frame_bytes({10, "unasked"}) +
                            frame_bytes({0, "\xa9", true});
  for (const char byte : bytes) client.connection.send({&byte, 1});
  auto frame = client.read();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->opcode, 10u);
  EXPECT_EQ(frame->payload, "ping");
  frame = client.read();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->opcode, 1u);
  EXPECT_EQ(frame->payload, "caf\xc3\xa9");
}

TEST_F(WebSocketTest, TakesMessagesUpToItsLimit) {
  serve_echo();
  WebSocketClient client(port_);
  ASSERT_TRUE(client.open());
  client.send({1, std::string(WebSocket::kMaxMessageBytes, 'x')});
  const auto frame = client.read();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->payload.size(), WebSocket::kMaxMessageBytes);
  client.connection.send(frame_head({}, WebSocket::kMaxMessageBytes + 1) + "maskx");
  EXPECT_EQ(client.read_close(), 1009u);
  EXPECT_TRUE(closed_.wait());
}

TEST_F(WebSocketTest, AnswersTheCloseOfThePeer) {
  serve_echo();
  WebSocketClient client(port_);
  ASSERT_TRUE(client.open());
  client.send({8, close_payload(1000, "bye")});
  EXPECT_EQ(client.read_close(), 1000u);
  EXPECT_TRUE(closed_.wait());
}

TEST_F(WebSocketTest, ClosesWithWhatItWasGiven) {
  on_text_ = [this](std::string_view) {
    socket_->send_text("last");
    socket_->close(1008, "no right");
    socket_->send_text("nothing");
  };
  serve_echo();
  WebSocketClient client(port_);
  ASSERT_TRUE(client.open());
  client.send({1, "go"});
  EXPECT_EQ(client.read()->payload, "last");
  const auto frame = client.read();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->payload, close_payload(1008, "no right"));
  client.send({8, close_payload(1008)});
  EXPECT_TRUE(client.connection.read_to_end());
  EXPECT_FALSE(closed_.raised());
}

TEST_F(WebSocketTest, GoesAwayWithItsLastPointer) {
  on_text_ = [this](std::string_view) { socket_.reset(); };
  serve_echo();
  WebSocketClient client(port_);
  ASSERT_TRUE(client.open());
  client.connection.send(frame_bytes({1, "go"}) + frame_bytes({1, "more"}));
  EXPECT_EQ(client.read_close(), 1001u);
}

TEST_F(WebSocketTest, NoticesThatThePeerIsGone) {
  serve_echo();
  WebSocketClient client(port_);
  ASSERT_TRUE(client.open());
  client.connection.close();
  EXPECT_TRUE(closed_.wait());
  thread_.call([&] {
    socket_->send_text("nothing happens");
    EXPECT_EQ(socket_->queued(), 0u);
  });
}

TEST_F(WebSocketTest, ClosingTheServerEndsIt) {
  serve_echo();
  WebSocketClient client(port_);
  ASSERT_TRUE(client.open());
  thread_.call([&] { server_->close(); });
  EXPECT_TRUE(closed_.wait());
}

TEST_F(WebSocketTest, CountsWhatTheReaderHasNotTaken) {
  serve_echo();
  WebSocketClient client(port_);
  ASSERT_TRUE(client.open());
  const std::string line(16 << 10, 'x');
  std::size_t sent = 0;
  thread_.call([&] {
    while (socket_->queued() < (1 << 20)) {
      socket_->send_text(line);
      ++sent;
    }
  });
  for (std::size_t i = 0; i < sent; ++i) ASSERT_EQ(client.read()->payload.size(), line.size());
  thread_.call([&] { EXPECT_EQ(socket_->queued(), 0u); });
}

TEST_F(WebSocketTest, HostileFramesEndTheConnection) {
  std::string crumbs = frame_bytes({1, "x", false});
  for (int i = 0; i < 2000; ++i) crumbs += frame_bytes({0, "x", false});
  const struct {
    const char* what;
    std::string bytes;
    unsigned code;
  } cases[] = {
      {"unmasked", frame_bytes({1, "x", true, false}), 1002},
      {"reserved bit", frame_bytes({1, "x", true, true, 4}), 1002},
      {"reserved opcode", frame_bytes({3, "x"}), 1002},
      {"reserved control opcode", frame_bytes({11, "x"}), 1002},
      {"continuation of nothing", frame_bytes({0, "x"}), 1002},
      {"a message within a message", frame_bytes({1, "x", false}) + frame_bytes({1, "y"}), 1002},
      {"fragmented ping", frame_bytes({9, "x", false}), 1005},
      {"long ping", frame_bytes({9, std::string(126, 'x')}), 1005},
      {"a length that was not the shortest", std::string("\x81\xfe\x00\x01mask", 8) + "x", 1005},
      {"a length of 63 bits and more", std::string("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xffmask", 14), 1005},
      {"a length beyond all limits", frame_head({}, 1ull << 62) + "maskx", 1009},
      {"many fragments beyond the limit together",
       frame_bytes({1, std::string(60000, 'x'), false}) + frame_bytes({0, std::string(60000, 'x')}), 1009},
      {"binary", frame_bytes({2, "x"}), 1003},
      {"no UTF-8", frame_bytes({1, "\xff"}), 1007},
      {"cut UTF-8", frame_bytes({1, "caf\xc3"}), 1007},
      {"crumbs", crumbs, 1008},
      {"a close code that is none", frame_bytes({8, close_payload(999)}), 1002},
      {"a close reason that is no text", frame_bytes({8, close_payload(1000, "\xff")}), 1007},
      {"frames behind a close", frame_bytes({8, close_payload(1000)}) + frame_bytes({1, "late"}), 1000},
  };
  for (const auto& test : cases) EXPECT_EQ(code_after(test.bytes), test.code) << test.what;
}

TEST_F(WebSocketTest, PingsThatNobodyReadsAnswersOfEnd) {
  serve_echo();
  WebSocketClient client(port_);
  ASSERT_TRUE(client.open());
  const std::string ping = frame_bytes({9, std::string(125, 'x')});
  std::string pings;
  for (int i = 0; i < 500; ++i) pings += ping;
  for (int i = 0; i < 2000 && client.connection.send(pings); ++i) {
  }  // 130 MB at most: ends when it is cut off
  EXPECT_TRUE(closed_.wait());
}

}  // namespace
}  // namespace mayfly
