// Answers that are cut off when a right goes: what their handlers and readers see of it.
#include "hubd/open_reads.h"

#include <gtest/gtest.h>

#include <memory>

namespace mayfly::hubd {
namespace {

/// Keeps what was done with it.
struct Spy {
  int status = 0;
  HttpHeaders headers;
  std::string body;
  bool done = false;
  bool aborted = false;
  ResponseWriter::Callback closed;
};

class SpyStream : public ByteStream {
 public:
  explicit SpyStream(Spy& spy) : spy_(spy) {}
  void start(OnData, Callback on_closed) override { spy_.closed = std::move(on_closed); }
  void pause(bool) override {}
  void write(std::string_view data) override { spy_.body += data; }
  std::size_t queued() const override { return 0; }
  void close() override { spy_.aborted = true; }

 private:
  Spy& spy_;
};

class SpyResponse : public ResponseWriter {
 public:
  explicit SpyResponse(Spy& spy) : spy_(spy) {}
  void send(int status, const HttpHeaders& headers, std::string_view body) override {
    begin(status, headers);
    spy_.body = body;
    spy_.done = true;
  }
  void begin(int status, const HttpHeaders& headers) override {
    spy_.status = status;
    spy_.headers = headers;
  }
  void write(std::string_view data) override { spy_.body += data; }
  void end() override { spy_.done = true; }
  void abort() override { spy_.done = spy_.aborted = true; }
  std::size_t queued() const override { return 0; }
  void on_drain(std::size_t, Callback) override {}
  void on_closed(Callback callback) override { spy_.closed = std::move(callback); }
  bool closed() const override { return spy_.done; }
  void set_open_ended() override {}
  std::shared_ptr<ByteStream> upgrade(const HttpHeaders&) override {
    spy_.status = 101;
    spy_.done = true;
    return std::make_shared<SpyStream>(spy_);
  }

 private:
  Spy& spy_;
};

class OpenReadsTest : public testing::Test {
 protected:
  OpenReadsTest() { uv_loop_init(&loop_); }
  ~OpenReadsTest() override {
    uv_run(&loop_, UV_RUN_DEFAULT);
    EXPECT_EQ(uv_loop_close(&loop_), 0);
  }
  ResponseWriterPtr open(const std::string& server) {
    Claim claim;
    claim.server = server;
    return reads_.guard(std::make_shared<SpyResponse>(spy_), claim, [this](int status) {
      EXPECT_FALSE(said_);
      said_ = status;
    });
  }
  std::size_t cut_off_all() {
    return reads_.cut_off([](const Claim&) { return false; });
  }

  uv_loop_t loop_;
  Spy spy_;
  OpenReads reads_{&loop_};
  std::optional<int> said_;
};

TEST_F(OpenReadsTest, PassesAnAnswerOnAndForgetsIt) {
  const ResponseWriterPtr response = open("a");
  EXPECT_EQ(reads_.size(), 1u);
  response->send(404, {{"A", "b"}}, "text");
  EXPECT_EQ(spy_.status, 404);
  EXPECT_EQ(spy_.body, "text");
  EXPECT_EQ(spy_.headers.back().second, "same-origin");
  EXPECT_EQ(said_, 404);
  EXPECT_EQ(reads_.size(), 0u);
  EXPECT_EQ(cut_off_all(), 0u);
}

TEST_F(OpenReadsTest, CutsOffWhatIsNoLongerAllowedAndTellsItsHandler) {
  const ResponseWriterPtr response = open("a");
  int gone = 0;
  response->on_closed([&] { ++gone; });
  response->begin(200, {});
  response->write("one");
  EXPECT_EQ(reads_.cut_off([](const Claim& claim) { return claim.server == "a"; }), 0u);
  EXPECT_EQ(gone, 0);
  EXPECT_EQ(cut_off_all(), 1u);
  EXPECT_EQ(gone, 1);
  EXPECT_TRUE(spy_.aborted);
  EXPECT_TRUE(response->closed());
  EXPECT_EQ(cut_off_all(), 0u);
  EXPECT_EQ(said_, 200);
}

TEST_F(OpenReadsTest, AHandlerThatAsksLaterIsToldFromTheLoop) {
  const ResponseWriterPtr response = open("a");
  cut_off_all();
  int gone = 0;
  response->on_closed([&] { ++gone; });
  EXPECT_EQ(gone, 0);
  uv_run(&loop_, UV_RUN_DEFAULT);
  EXPECT_EQ(gone, 1);
}

TEST_F(OpenReadsTest, AReaderWhoLeavesIsPassedOn) {
  ResponseWriterPtr response = open("a");
  int gone = 0;
  response->on_closed([&] { ++gone; });
  spy_.done = true;
  spy_.closed();
  EXPECT_EQ(gone, 1);
  response.reset();
  EXPECT_EQ(said_, 0);
}

TEST_F(OpenReadsTest, ACallbackThatKeepsItsAnswerDoesNotKeepItForEver) {
  std::weak_ptr<ResponseWriter> weak;
  {
    const ResponseWriterPtr response = open("a");
    weak = response;
    response->on_closed([response] {});
    response->begin(200, {});
    response->end();
  }
  EXPECT_TRUE(weak.expired());
}

TEST_F(OpenReadsTest, StreamsAreCutOffToo) {
  ResponseWriterPtr response = open("a");
  const std::shared_ptr<ByteStream> stream = response->upgrade({});
  EXPECT_EQ(said_, 101);
  response.reset();
  EXPECT_EQ(reads_.size(), 1u);
  int gone = 0;
  stream->start([](std::string_view) {}, [&] { ++gone; });
  stream->write("one");
  EXPECT_EQ(cut_off_all(), 1u);
  stream->write("two");
  EXPECT_EQ(gone, 1);
  EXPECT_TRUE(spy_.aborted);
  EXPECT_EQ(spy_.body, "one");
}

TEST_F(OpenReadsTest, WritersMayOutliveIt) {
  ResponseWriterPtr response;
  {
    OpenReads others(&loop_);
    response = others.guard(std::make_shared<SpyResponse>(spy_), {}, nullptr);
  }
  response->send(200, {}, "still");
  EXPECT_EQ(spy_.body, "still");
}

}  // namespace
}  // namespace mayfly::hubd
