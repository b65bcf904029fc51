// The framing table: what a request has to look like, and what each other form gets.
#include "common/http_parser.h"

#include <gtest/gtest.h>

namespace mayfly {
namespace {

using State = HttpRequestParser::State;

constexpr std::size_t kHead = 1024;
constexpr std::size_t kBody = 64;

/// Feeds `bytes` in pieces of `step` and returns the state after the last.
State feed(HttpRequestParser& parser, std::string_view bytes, std::size_t step) {
  State state = State::need_more;
  while (!bytes.empty() && state == State::need_more) {
    parser.append(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    state = parser.next();
  }
  return state;
}

struct Refused {
  std::string_view what;
  std::string_view bytes;
  int status;
};

constexpr char kNulInValue[] = "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n";

const Refused kRefused[] = {
    {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
    {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
    {"two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400},
    {"list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx", 400},
    {"signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", 400},
    {"empty length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nx", 400},
    {"huge length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nx", 400},
    {"length and chunked",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx", 400},
    {"chunked and length",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\nx", 400},
    {"gzip", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400},
    {"gzip, chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400},
    {"identity", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 400},
    {"chunked twice",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"chunked in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", 400},
    {"folded by tab", "GET / HTTP/1.1\r\nHost: a\r\n\t2\r\n\r\n", 400},
    {"bare LF", "GET / HTTP/1.1\nHost: a\n\n", 400},
    {"bare CR", "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400},
    {"LF in value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\nY: c\r\n\r\n", 400},
    {"NUL in value", std::string_view(kNulInValue, sizeof kNulInValue - 1), 400},
    {"escape in value", "GET / HTTP/1.1\r\nHost: a\r\nX: \x1b\r\n\r\n", 400},
    {"blank in name", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
    {"no name", "GET / HTTP/1.1\r\n: a\r\n\r\n", 400},
    {"no version", "GET /\r\nHost: a\r\n\r\n", 400},
    {"version 2", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
    {"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"authority", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"body too large", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65\r\n\r\n", 413},
    {"bad chunk", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
    {"chunks too large", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n41\r\n", 413},
    {"binary", "\x16\x03\x01\x02\r\n\r\n", 400},
};

TEST(HttpParser, RefusesWhatCouldBeReadTwoWays) {
  for (const auto& test : kRefused) {
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, test.bytes.size()}) {
      HttpRequestParser parser(kHead, kBody);
      EXPECT_EQ(feed(parser, test.bytes, step), State::refused) << test.what << " step " << step;
      EXPECT_EQ(parser.refusal().status, test.status) << test.what << ": " << parser.refusal().detail;
      EXPECT_EQ(parser.next(), State::refused) << test.what;
    }
  }
}

TEST(HttpParser, RefusesAHeadOverTheLimit) {
  for (const bool complete : {false, true}) {
    HttpRequestParser parser(kHead, kBody);
    const std::string tail = complete ? "\r\n\r\n" : "";
    parser.append("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(kHead, 'x') + tail);
    ASSERT_EQ(parser.next(), State::refused);
    EXPECT_EQ(parser.refusal().status, 431);
  }
}

TEST(HttpParser, TakesRequestsInPieces) {
  const std::string_view bytes =
      "\r\nPOST /a/b%20c?x=1&y=2 HTTP/1.1\r\nHOST: Example.org:80\r\nX-Thing:  a b \t\r\n"
      "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n000\r\n\r\n";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    HttpRequestParser parser(kHead, kBody);
    ASSERT_EQ(feed(parser, bytes, step), State::ready) << step;
    const ParsedRequest parsed = parser.take();
    EXPECT_EQ(parsed.request.method, "POST");
    EXPECT_EQ(parsed.request.path, "/a/b%20c");
    EXPECT_EQ(parsed.request.query, "x=1&y=2");
    EXPECT_EQ(parsed.request.body, "hello world");
    EXPECT_EQ(parsed.host, "Example.org:80");
    EXPECT_EQ(*parsed.request.header("x-thing"), "a b");
    EXPECT_TRUE(parsed.keep_alive);
    EXPECT_FALSE(parser.mid_request());
  }
}

TEST(HttpParser, TakesAnEmptyBodyInPieces) {
  for (const std::size_t step : {1, 2, 3, 100}) {
    HttpRequestParser parser(kHead, kBody);
    const std::string_view bytes =
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    ASSERT_EQ(feed(parser, bytes, step), State::ready) << step;
    EXPECT_EQ(parser.take().request.body, "");
  }
}

TEST(HttpParser, TakesPipelinedRequestsOneByOne) {
  HttpRequestParser parser(kHead, kBody);
  parser.append(
      "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGE");
  ASSERT_EQ(parser.next(), State::ready);
  const ParsedRequest first = parser.take();
  EXPECT_EQ(first.request.path, "/1");
  EXPECT_EQ(first.request.body, "abc");
  ASSERT_EQ(parser.next(), State::ready);
  EXPECT_EQ(parser.take().request.path, "/2");
  EXPECT_EQ(parser.next(), State::need_more);
  EXPECT_TRUE(parser.mid_request());
}

TEST(HttpParser, KnowsOldAndAbsoluteForms) {
  HttpRequestParser parser(kHead, kBody);
  parser.append("GET / HTTP/1.0\r\n\r\n");
  ASSERT_EQ(parser.next(), State::ready);
  ParsedRequest parsed = parser.take();
  EXPECT_TRUE(parsed.http_1_0);
  EXPECT_FALSE(parsed.keep_alive);
  parser.append(
      "GET http://real.example:81?a=b HTTP/1.1\r\nHost: Real.Example:81\r\nConnection: close\r\n\r\n");
  ASSERT_EQ(parser.next(), State::ready) << parser.refusal().detail;
  parsed = parser.take();
  EXPECT_EQ(parsed.host, "real.example:81");
  EXPECT_FALSE(parsed.keep_alive);
}

TEST(HttpParser, AsksForABodyOnce) {
  HttpRequestParser parser(kHead, kBody);
  parser.append("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(parser.next(), State::need_more);
  EXPECT_TRUE(parser.take_expects_continue());
  EXPECT_FALSE(parser.take_expects_continue());
  parser.append("ok");
  EXPECT_EQ(parser.next(), State::ready);
  EXPECT_EQ(parser.take().request.body, "ok");
}

}  // namespace
}  // namespace mayfly
