// Paths, parameters, cursors, queries: the pure parts.
#include <gtest/gtest.h>

#include "common/request_target.h"
#include "relayd/metrics.h"
#include "relayd/record_query.h"
#include "relayd/stream_cursor.h"

namespace mayfly::relayd {
namespace {

shm::Result<RequestTarget> parse(const std::string& path, const std::string& query = {}) {
  HttpRequest request;
  request.path = path;
  request.query = query;
  return parse_request_target(request);
}

TEST(RequestTarget, DecodesSegmentsOneByOne) {
  const auto target = parse("/api/v1/status/web/a%2Fb%00%ff");
  ASSERT_TRUE(target.ok());
  ASSERT_EQ(target.value().segments.size(), 5u);
  EXPECT_EQ(target.value().segments[4], std::string("a/b\0\xff", 5));
  EXPECT_EQ(parse("/").value().segments.size(), 0u);
  EXPECT_EQ(parse("/api/v1/logs/demo/").value().segments.size(), 4u);
}

TEST(RequestTarget, ParametersRideInTheQueryOrAtTheEndOfThePath) {
  const auto query = parse("/x", "last=5&grep=a+b%2Bc&follow");
  EXPECT_EQ(*query.value().parameter("last"), "5");
  EXPECT_EQ(*query.value().parameter("grep"), "a b+c");
  EXPECT_NE(query.value().parameter("follow"), nullptr);
  EXPECT_FALSE(query.value().flag("follow"));
  const auto matrix = parse("/api/v1/logs/de;mo/key;last=100;grep=x+%3B");
  ASSERT_TRUE(matrix.ok());
  EXPECT_EQ(matrix.value().segments[3], "de;mo");
  EXPECT_EQ(matrix.value().segments[4], "key");
  EXPECT_EQ(*matrix.value().parameter("grep"), "x+;");
}

TEST(RequestTarget, RefusesWhatIsMalformed) {
  EXPECT_FALSE(parse("/a%").ok());
  EXPECT_FALSE(parse("/a%zz").ok());
  EXPECT_FALSE(parse("/a", "x=%f").ok());
  EXPECT_FALSE(parse("/a", "x=1&x=2").ok());
  EXPECT_FALSE(parse("/a;x=1", "x=2").ok());
}

TEST(RequestTarget, KeysComeByPathOrParameter) {
  const auto key = [](const std::string& path, const std::string& query) {
    return requested_key(parse(path, query).value(), 4);
  };
  EXPECT_EQ(key("/api/v1/status/web", "").value(), std::nullopt);
  EXPECT_EQ(key("/api/v1/status/web/k", "").value(), "k");
  EXPECT_EQ(key("/api/v1/status/web", "key=").value(), "");
  EXPECT_EQ(key("/api/v1/status/web", "key_b64=a/8").value(), "k\xff");
  EXPECT_FALSE(key("/api/v1/status/web", "key_b64=*").ok());
  EXPECT_FALSE(key("/api/v1/status/web/k", "key=k").ok());
}

TEST(RecordQuery, JudgesKeyTimeAndText) {
  shm::RecordView record;
  record.key = "web";
  record.value = "a line\xff";
  record.time_ns = 100'000'000'000;
  const auto matches = [&](const std::string& query) {
    const auto parsed = parse_record_query(parse("/api/v1/logs/demo", query).value(), 4, 160'000'000'000);
    EXPECT_TRUE(parsed.ok()) << query;
    return parsed.ok() && parsed.value().matches(record);
  };
  EXPECT_TRUE(matches(""));
  EXPECT_TRUE(matches("key=web&since=100&until=101&grep=l.ne"));
  EXPECT_TRUE(matches("since=1m"));
  EXPECT_FALSE(matches("since=59s"));
  EXPECT_FALSE(matches("until=100"));
  EXPECT_FALSE(matches("key=we"));
  EXPECT_FALSE(matches("grep=^line"));
}

TEST(RecordQuery, RefusesWhatItCannotRead) {
  for (const char* query : {"last=-1", "last=x", "last=", "since=yesterday", "until=1h1m", "grep=(",
                            "grep=((((((((((a{100}){100}){100}){100}){100})))))"}) {
    EXPECT_FALSE(parse_record_query(parse("/x", query).value(), 4, 0).ok()) << query;
  }
}

TEST(StreamCursor, RoundTripsAndRefuses) {
  for (const StreamCursor& cursor : {StreamCursor{1, 2, 3, std::nullopt},
                                     StreamCursor{~0ull, ~0ull, ~0ull, ~0u}, StreamCursor{7, 0, 0, 0}}) {
    EXPECT_EQ(parse_cursor(format_cursor(cursor)), cursor);
  }
  for (const char* text : {"", "m1", "m1-", "m1-1-2", "m1-1-2-", "m1-1-2-3-", "m1-1-2-3-4-5",
                           "m1-1-2-3-100000000", "m1-1--3", "m1-x-2-3", "m1-11111111111111111-2-3", "12"}) {
    EXPECT_EQ(parse_cursor(text), std::nullopt) << text;
  }
}

TEST(Metrics, SampleValuesAreFiniteDecimals) {
  EXPECT_EQ(sample_value("123"), "123");
  EXPECT_EQ(sample_value("+1.50"), "1.5");
  EXPECT_EQ(sample_value("-.5e1"), "-5");
  for (const char* text :
       {"", "abc", "nan", "inf", "-inf", "1e999", "0x10", "1 ", " 1", "1,5", "+-1", "--1", "."}) {
    EXPECT_EQ(sample_value(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace mayfly::relayd
