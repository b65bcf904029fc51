// The client against a server that is nothing but a socket.
#include "common/http_client.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tests/common/loop_thread.h"
#include "tests/common/raw_peer.h"

namespace mayfly {
namespace {

class HttpClientTest : public ::testing::Test {
 protected:
  HttpClientTest() {
    request_.url = listener_.url() + "/x";
    thread_.call([&] { client_.emplace(thread_.loop()); });
  }
  ~HttpClientTest() override {
    thread_.call([&] {
      upload_.reset();
      client_.reset();
    });
  }
  std::unique_ptr<test::RawPeer> accept_one() { return listener_.accept_one(); }
  void get() {
    thread_.call(
        [&] { client_->get(request_, [this](HttpClientResponse answer) { keep(std::move(answer)); }); });
  }
  void post(std::optional<std::uint64_t> length) {
    thread_.call([&] {
      upload_ =
          client_->post(request_, length, [this](HttpClientResponse answer) { keep(std::move(answer)); });
    });
  }
  void write(const std::string& data) {
    thread_.call([&] { upload_->write(data); });
  }
  void end() {
    thread_.call([&] { upload_->end(); });
  }
  std::size_t queued() {
    std::size_t bytes = 0;
    thread_.call([&] { bytes = upload_->queued(); });
    return bytes;
  }
  void keep(HttpClientResponse answer) {
    const std::lock_guard<std::mutex> lock(mutex_);
    answers_.push_back(std::move(answer));
    changed_.notify_all();
  }
  /// The n-th answer, counted from 1.
  HttpClientResponse answer(std::size_t n = 1) {
    std::unique_lock<std::mutex> lock(mutex_);
    const bool there = changed_.wait_for(lock, std::chrono::milliseconds(test::RawPeer::kDeadlineMs),
                                         [&] { return answers_.size() >= n; });
    EXPECT_TRUE(there);
    return there ? answers_[n - 1] : HttpClientResponse{};
  }
  std::size_t answers() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return answers_.size();
  }

  test::LoopThread thread_;
  test::RawListener listener_;
  HttpClientRequest request_;
  std::optional<HttpClient> client_;
  std::shared_ptr<HttpUpload> upload_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<HttpClientResponse> answers_;
};

TEST_F(HttpClientTest, ASmallBodyLeavesInOnePieceWithItsHead) {
  request_.names_itself = false;
  request_.headers = {{"x-apikey", "secret"}};
  thread_.call([&] {
    upload_ = client_->post(request_, 5, [this](HttpClientResponse answer) { keep(std::move(answer)); });
    upload_->write("he");
    upload_->write("llo, and more than was announced");
    upload_->end();
  });
  const auto peer = accept_one();
  ASSERT_NE(peer, nullptr);
  const unsigned before = peer->data_segments();
  const std::string& received = peer->read_until("\r\n\r\nhello");
  EXPECT_LE(peer->data_segments(), before + 1);
  EXPECT_EQ(received.rfind("POST /x HTTP/1.1\r\n", 0), 0u);
  EXPECT_NE(received.find("Content-Length: 5\r\n"), std::string::npos);
  EXPECT_NE(received.find("x-apikey: secret\r\n"), std::string::npos);
  EXPECT_NE(received.find("Accept: */*\r\n"), std::string::npos);
  for (const char* absent : {"Expect", "Content-Type", "User-Agent", "Transfer-Encoding", "and more"}) {
    EXPECT_EQ(received.find(absent), std::string::npos) << absent;
  }
  peer->send("HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n");
  peer->send("StreamFinished\n");
  EXPECT_EQ(answer().status, 200);
  EXPECT_EQ(answer().body, "StreamFinished\n");
}

TEST_F(HttpClientTest, AnEmptyBody) {
  post(0);
  const auto peer = accept_one();
  EXPECT_NE(peer->read_until("\r\n\r\n").find("Content-Length: 0\r\n"), std::string::npos);
  peer->send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  EXPECT_EQ(answer().status, 200);
}

TEST_F(HttpClientTest, AStreamComesAsItIsWritten) {
  post(std::nullopt);
  const auto peer = accept_one();
  EXPECT_NE(peer->read_until("\r\n\r\n").find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  for (const char* piece : {"one", "two", "three"}) {
    write(piece);
    peer->read_until(piece);
  }
  EXPECT_EQ(answers(), 0u);
  end();
  const std::string body = peer->read_until("0\r\n\r\n");
  EXPECT_NE(body.find("\r\n\r\n3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"), std::string::npos) << body;
  peer->send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  EXPECT_EQ(answer().body, "ok");
}

TEST_F(HttpClientTest, ALargeBodyOfKnownLength) {
  const std::string piece(50'000, 'x');
  post(5 * piece.size());
  const auto peer = accept_one();
  for (int i = 0; i < 5; ++i) write(piece);
  end();
  const std::string& received = peer->read_until(std::string(5 * piece.size(), 'x'));
  EXPECT_NE(received.find("Content-Length: 250000\r\n"), std::string::npos);
  peer->send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  EXPECT_EQ(answer().status, 200);
}

TEST_F(HttpClientTest, AShortBodyIsCut) {
  for (const std::uint64_t length : {10u, 1'000'000u}) {
    const std::size_t before = answers();
    post(length);
    write("short");
    end();
    if (const auto peer = accept_one()) {
      EXPECT_TRUE(peer->read_to_end());
    }
    EXPECT_EQ(answer(before + 1).status, 0);
  }
}

TEST_F(HttpClientTest, ASlowReaderHoldsTheWriterBack) {
  post(std::nullopt);
  const auto peer = accept_one();
  peer->read_until("\r\n\r\n");
  constexpr std::size_t kBytes = 16 << 20;
  write(std::string(kBytes, 'x'));
  std::promise<std::size_t> drained;
  thread_.call([&] {
    EXPECT_GT(upload_->queued(), kBytes / 2);
    upload_->on_drain(1000, [&] { drained.set_value(upload_->queued()); });
  });
  std::future<std::size_t> left = drained.get_future();
  EXPECT_EQ(left.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  while (left.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    peer->received.clear();
    peer->read_until("xx");
  }
  EXPECT_LE(left.get(), 1000u);
  // What is below already is told too, but not from within the call.
  std::promise<bool> again;
  thread_.call([&] {
    bool inside = true;
    upload_->on_drain(1000, [&] { again.set_value(inside); });
    inside = false;
    EXPECT_EQ(upload_->queued(), 0u);
  });
  end();
  again.get_future().wait();
  peer->read_until("0\r\n\r\n");
}

TEST_F(HttpClientTest, AnEarlyAnswerEndsTheUpload) {
  post(std::nullopt);
  const auto peer = accept_one();
  write("hello");
  peer->read_until("hello");
  peer->send("HTTP/1.1 100 Continue\r\n\r\n");
  write("world");
  peer->read_until("world");
  peer->send("HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\nClientDisconnected\n");
  EXPECT_EQ(answer().status, 200);
  EXPECT_EQ(answer().body, "ClientDisconnected\n");
  write("nobody takes this");
  EXPECT_EQ(queued(), 0u);
  end();
  EXPECT_TRUE(peer->read_to_end());
  EXPECT_EQ(peer->received.find("0\r\n\r\n"), std::string::npos);
}

TEST_F(HttpClientTest, AnEarlyRefusalAndAnEarlyEnd) {
  post(std::nullopt);
  auto peer = accept_one();
  write("hello");
  peer->read_until("hello");
  peer->send(
      "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 28\r\nconnection: close\r\n\r\nFailed to connect to "
      "client\n");
  EXPECT_EQ(answer().status, 502);
  post(std::nullopt);
  peer = accept_one();
  peer->read_until("\r\n\r\n");
  peer->close();
  EXPECT_EQ(answer(2).status, 0);
  EXPECT_FALSE(answer(2).error.empty());
}

TEST_F(HttpClientTest, AbortingIsVisible) {
  for (const bool drop : {false, true}) {
    post(std::nullopt);
    const auto peer = accept_one();
    write("hello");
    peer->read_until("hello");
    thread_.call([&] { drop ? upload_.reset() : upload_->abort(); });
    EXPECT_TRUE(peer->read_to_end());
    EXPECT_EQ(peer->received.find("0\r\n\r\n"), std::string::npos);
  }
  EXPECT_EQ(answers(), 0u);
}

TEST_F(HttpClientTest, ConnectionsAreUsedAgain) {
  get();
  const auto peer = accept_one();
  peer->read_until("\r\n\r\n");
  peer->send("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(answer(1).status, 204);
  for (std::size_t i = 2; i < 5; ++i) {
    peer->received.clear();
    post(2);
    write("ab");
    peer->read_until("\r\n\r\nab");
    peer->send("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx");
    EXPECT_EQ(answer(i).status, 200);
  }
}

TEST_F(HttpClientTest, KeysGoNowhereElse) {
  request_.url = "http://192.0.2.1/x";
  request_.headers = {{"X-ApiKey", "secret"}};
  get();
  EXPECT_EQ(answer(1).status, 0);
  EXPECT_NE(answer(1).error.find("Protocol"), std::string::npos) << answer(1).error;
  post(0);
  EXPECT_EQ(answer(2).status, 0);
}

TEST_F(HttpClientTest, TellsWhetherAnAnswerIsAwaited) {
  HttpClient::RequestId id = 0;
  thread_.call([&] {
    id = client_->get(request_, [this](HttpClientResponse answer) { keep(std::move(answer)); });
    EXPECT_FALSE(client_->awaits_answer(id));
    EXPECT_FALSE(client_->awaits_answer(id + 1));
  });
  const auto peer = accept_one();
  peer->read_until("\r\n\r\n");
  thread_.call([&] { EXPECT_TRUE(client_->awaits_answer(id)); });
  peer->send("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\ncontent-length: 0\r\n\r\n");
  EXPECT_EQ(answer().status, 302);
  thread_.call([&] { EXPECT_FALSE(client_->awaits_answer(id)); });
}

}  // namespace
}  // namespace mayfly
