// What answers look like on the wire, and that none can be read in two ways.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tests/common/http_server_fixture.h"

namespace mayfly {
namespace {

using test::TestAnswer;
using test::TestConnection;

class HttpAnswerTest : public test::HttpServerFixture {
 protected:
  /// The answer that `handler` gives to one request.
  TestAnswer answer_of(std::function<void(ResponseWriter&)> handler, const std::string& method = "GET") {
    serve([handler = std::move(handler)](HttpRequest request, ResponseWriterPtr response) {
      if (request.path == "/next") return response->send(200, {}, "next");
      handler(*response);
    });
    TestConnection connection(port_);
    connection.send(method +
                    " / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /next HTTP/1.1\r\nHost: localhost\r\n\r\n");
    TestAnswer answer = connection.read_answer(method == "HEAD");
    goes_on_ = answer.complete && connection.read_answer().body == "next";
    return answer;
  }

  bool goes_on_ = false;  // the answer's end was where the next one began
};

TEST_F(HttpAnswerTest, KeepsTheLengthThatAStreamedAnswerAnnounces) {
  TestAnswer answer = answer_of([](ResponseWriter& response) {
    response.begin(200, {{"content-length", "5"}});
    response.write("he");
    response.write("llo");
    response.end();
  });
  EXPECT_EQ(answer.headers["content-length"], "5");
  EXPECT_EQ(answer.headers.count("transfer-encoding"), 0u);
  EXPECT_EQ(answer.body, "hello");
  EXPECT_TRUE(goes_on_);
}

TEST_F(HttpAnswerTest, CutsABodyThatIsShorterOrLongerThanAnnounced) {
  for (const char* body : {"four", "longer"}) {
    bool closed = false;
    TestAnswer answer = answer_of([&](ResponseWriter& response) {
      response.begin(200, {{"Content-Length", "5"}});
      response.write(body);
      response.end();
      closed = response.closed();
      response.write("nothing");
    });
    EXPECT_EQ(answer.status, 200);
    EXPECT_FALSE(answer.complete) << body;
    thread_.call([&] { EXPECT_TRUE(closed); });
  }
  EXPECT_FALSE(answer_of([](ResponseWriter& response) {
                 response.begin(200, {{"Content-Length", "5"}});
                 response.write("he");
                 response.write("llo, too much");
               }).complete);
}

TEST_F(HttpAnswerTest, AnnouncesThatAreNoNumbersAreIgnored) {
  for (const char* length : {"", "-1", "5x", "0x5", "99999999999999999999", "5, 5", " 5"}) {
    TestAnswer answer = answer_of([&](ResponseWriter& response) {
      response.begin(200, {{"Content-Length", length}});
      response.write("hello");
      response.end();
    });
    EXPECT_EQ(answer.headers["transfer-encoding"], "chunked") << length;
    EXPECT_EQ(answer.body, "hello");
    EXPECT_TRUE(goes_on_);
  }
}

TEST_F(HttpAnswerTest, SomeStatusesHaveNoBody) {
  for (const int status : {204, 304}) {
    TestAnswer answer = answer_of([&](ResponseWriter& response) {
      response.begin(status, {{"Content-Length", "34"}});
      EXPECT_TRUE(response.closed());
      response.write("nothing");
      response.end();
    });
    EXPECT_EQ(answer.headers.count("content-length"), status == 304 ? 1u : 0u);
    EXPECT_EQ(answer.headers.count("transfer-encoding"), 0u);
    EXPECT_TRUE(goes_on_);
    answer = answer_of([&](ResponseWriter& response) { response.send(status, {}, "nothing"); });
    EXPECT_EQ(answer.headers.count("content-length"), 0u);
    EXPECT_TRUE(goes_on_);
  }
}

TEST_F(HttpAnswerTest, AnswersToHeadSayWhatGetWould) {
  TestAnswer answer = answer_of(
      [](ResponseWriter& response) {
        response.send(200, {{"Content-Length", "34"}}, "");
      },
      "HEAD");
  EXPECT_EQ(answer.headers["content-length"], "34");
  EXPECT_TRUE(goes_on_);
  answer = answer_of(
      [](ResponseWriter& response) {
        response.begin(200, {{"Content-Length", "34"}});
      },
      "HEAD");
  EXPECT_EQ(answer.headers["content-length"], "34");
  EXPECT_TRUE(goes_on_);
}

TEST_F(HttpAnswerTest, HeadersOfAHandlerDoNotDecideOverTheFraming) {
  TestAnswer answer = answer_of([](ResponseWriter& response) {
    response.send(200,
                  {{"Content-Length", "1"},
                   {"Transfer-Encoding", "chunked"},
                   {"Connection", "close"},
                   {"Date", "then"},
                   {"X-Split", "a\r\nSet-Cookie: b"},
                   {"X Name", "c"},
                   {"X-Name: d\r\nX", "e"},
                   {"", "f"},
                   {"X-Kept", "g\tcaf\xe9"}},
                  "body");
  });
  EXPECT_EQ(answer.body, "body");
  EXPECT_TRUE(goes_on_);
  EXPECT_EQ(answer.headers, (std::map<std::string, std::string>{
                                {"content-length", "4"}, {"date", "then"}, {"x-kept", "g\tcaf\xe9"}}));
}

TEST_F(HttpAnswerTest, HeadAndBodyLeaveTogether) {
  serve([](HttpRequest, ResponseWriterPtr response) { response->send(200, {}, "body"); });
  TestConnection connection(port_);
  connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  // One read gets it all: it was one segment.
  ASSERT_TRUE(connection.read_until([&] { return !connection.received().empty(); }));
  EXPECT_TRUE(connection.received().ends_with("\r\n\r\nbody")) << connection.received();
}

TEST_F(HttpAnswerTest, AnOldClientSeesThatAnAnswerWasCut) {
  serve([](HttpRequest, ResponseWriterPtr response) {
    response->begin(200, {});
    response->write("half");
    response->abort();
  });
  TestConnection connection(port_);
  connection.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(connection.read_to_end());
  EXPECT_TRUE(connection.was_reset());
}

}  // namespace
}  // namespace mayfly
