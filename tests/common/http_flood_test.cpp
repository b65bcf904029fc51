// More connections than a server has room for, and readers that do not read.
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>

#include "common/web_socket.h"
#include "tests/common/http_server_fixture.h"
#include "tests/common/web_socket_client.h"

namespace mayfly {
namespace {

using test::TestConnection;
using test::WebSocketClient;

class HttpFloodTest : public test::HttpServerFixture {
 protected:
  /// "/tail" has no end and `tail_bytes` so far, "/ws" is a WebSocket, all else is answered at once.
  void serve_with(HttpServerOptions options, std::size_t tail_bytes = 1) {
    serve(
        [this, tail_bytes](HttpRequest request, ResponseWriterPtr response) {
          if (request.path == "/ws") {
            socket_ = WebSocket::accept(request, *response);
            if (socket_) socket_->start([](std::string_view) {}, [this] { gone_.raise(); });
          } else if (request.path == "/tail") {
            response->set_open_ended();
            response->begin(200, {});
            response->write(std::string(tail_bytes, 'x'));
            response->on_closed([this] { gone_.raise(); });
            tails_.push_back(std::move(response));
          } else {
            response->send(200, {}, "ok");
          }
        },
        std::move(options));
  }
  void TearDown() override {
    thread_.call([&] {
      socket_.reset();
      tails_.clear();
    });
    HttpServerFixture::TearDown();
  }
  std::unique_ptr<TestConnection> tail() {
    auto connection = std::make_unique<TestConnection>(port_);
    connection->send("GET /tail HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_TRUE(connection->read_until([&] { return !connection->received().empty(); }));
    return connection;
  }

  std::deque<ResponseWriterPtr> tails_;
  std::shared_ptr<WebSocket> socket_;
  test::Signal gone_;
};

TEST_F(HttpFloodTest, IdleConnectionsMakeRoomTheOldestFirst) {
  HttpServerOptions options;
  options.max_connections = 40;
  serve_with(options);
  const auto reader = tail();
  std::deque<TestConnection> idle;
  for (int i = 0; i < 39; ++i) EXPECT_EQ(idle.emplace_back(port_).get("/").status, 200);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(idle.emplace_back(port_).get("/").status, 200);
  EXPECT_TRUE(idle.front().read_to_end());
  EXPECT_EQ(idle.back().get("/").status, 200);
  EXPECT_EQ(counts().displaced_connections, 32u);
  EXPECT_EQ(counts().refused_connections, 0u);
  thread_.call([&] { tails_.front()->write("still there"); });
  EXPECT_TRUE(reader->read_body_until("still there"));
}

TEST_F(HttpFloodTest, HalfRequestsMakeRoom) {
  HttpServerOptions options;
  options.max_connections = 3;
  serve_with(options);
  std::deque<TestConnection> slow;
  for (int i = 0; i < 20; ++i) slow.emplace_back(port_).send("GET / HTTP/1.1\r\nHost: loc");
  TestConnection good(port_);
  EXPECT_EQ(good.get("/").status, 200);
  EXPECT_TRUE(slow.front().read_to_end());
}

TEST_F(HttpFloodTest, OneSourceLeavesRoomForAnother) {
  HttpServerOptions options;
  options.max_connections = 8;
  options.max_connections_per_source = 2;
  serve_with(options);
  const std::string path = "/dev/shm/mayfly-flood-test-" + std::to_string(getpid());
  thread_.call([&] { ASSERT_TRUE(server_->listen_unix(path, 0600, std::nullopt).ok()); });
  const auto first = tail();
  const auto second = tail();
  TestConnection third(port_);
  EXPECT_EQ(third.read_answer().status, 503);
  TestConnection local(path);
  EXPECT_EQ(local.get("/").status, 200);
}

TEST_F(HttpFloodTest, ManyRefusedOnesAreNotKept) {
  HttpServerOptions options;
  options.max_connections = 1;
  serve_with(options);
  const auto reader = tail();
  std::deque<TestConnection> flood;
  for (int i = 0; i < 300; ++i) flood.emplace_back(port_);
  for (auto& connection : flood) EXPECT_TRUE(connection.read_to_end());
  EXPECT_EQ(counts().refused_connections, 300u);
  EXPECT_LE(counts().connections, 1u + 64u);
}

TEST_F(HttpFloodTest, ATailThatIsNotReadEnds) {
  HttpServerOptions options;
  options.open_ended_stall_timeout = std::chrono::seconds(3);
  serve_with(options, 16 << 20);
  const auto reader = tail();
  EXPECT_TRUE(gone_.wait());
  EXPECT_EQ(counts().timeouts, 1u);
}

TEST_F(HttpFloodTest, ATailWithNothingToSayStays) {
  HttpServerOptions options;
  options.open_ended_stall_timeout = options.idle_timeout = options.stall_timeout = std::chrono::seconds(1);
  serve_with(options);
  const auto quiet = tail();
  // A neighbour's timeout shows that the time has passed.
  TestConnection idle(port_);
  EXPECT_EQ(idle.get("/").status, 200);
  EXPECT_TRUE(idle.read_to_end());
  thread_.call([&] { tails_.front()->write("news"); });
  EXPECT_TRUE(quiet->read_body_until("news"));
}

TEST_F(HttpFloodTest, ASilentWebSocketIsAskedAndThenEnds) {
  HttpServerOptions options;
  options.silence_timeout = std::chrono::seconds(1);
  serve_with(options);
  WebSocketClient client(port_);
  ASSERT_TRUE(client.open());
  for (int i = 0; i < 2; ++i) {
    const auto ping = client.read();
    ASSERT_TRUE(ping);
    EXPECT_EQ(ping->opcode, 9u);
    client.send({10, ping->payload});
  }
  const auto unanswered = client.read();
  ASSERT_TRUE(unanswered);
  EXPECT_EQ(unanswered->opcode, 9u);
  EXPECT_EQ(client.read_close(), 1001u);
  EXPECT_TRUE(gone_.wait());
}

}  // namespace
}  // namespace mayfly
