#include "common/http_negotiation.h"

#include <gtest/gtest.h>

#include <string>

namespace mayfly {
namespace {

int accept(const std::string& header, std::string_view type) { return accept_weight(&header, type); }
int encoding(const std::string& header) { return encoding_weight(&header, "gzip"); }

TEST(AcceptTest, TheMostSpecificRangeCounts) {
  EXPECT_EQ(accept_weight(nullptr, "text/plain"), 1000);
  EXPECT_EQ(accept("", "text/plain"), 1000);
  EXPECT_EQ(accept("text/plain", "text/plain"), 1000);
  EXPECT_EQ(accept("TEXT/Plain ; Q=0.5", "text/plain"), 500);
  EXPECT_EQ(accept("text/*;q=0.25, */*;q=0.1", "text/plain"), 250);
  EXPECT_EQ(accept("*/*;q=0.1, text/plain;q=0", "text/plain"), 0);
  EXPECT_EQ(accept("application/json", "text/plain"), 0);
  EXPECT_EQ(accept("*/*", "text/plain"), 1000);
  EXPECT_EQ(accept("text/plain;q=0.333", "text/plain"), 333);
  EXPECT_EQ(accept("text/plain;q=0.3339", "text/plain"), 333);
  EXPECT_EQ(accept("text/plain;q=1.000", "text/plain"), 1000);
  EXPECT_EQ(accept("text/plain;q=0.", "text/plain"), 0);
  EXPECT_EQ(accept("text/plain;q=high", "text/plain"), 1000);
  EXPECT_EQ(accept(",;,=,;q", "text/plain"), 0);
}

TEST(AcceptTest, OfEqualRangesTheHeaviestCounts) {
  const std::string prometheus =
      "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
      "text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
  EXPECT_EQ(accept(prometheus, "application/openmetrics-text"), 1000);
  EXPECT_EQ(accept(prometheus, "text/plain"), 500);
  EXPECT_EQ(accept(prometheus, "application/json"), 100);
}

TEST(AcceptTest, AScraperGetsTheFormatItPrefers) {
  const auto open_metrics = [](const std::string& header) { return prefers_open_metrics(&header); };
  EXPECT_FALSE(prefers_open_metrics(nullptr));
  EXPECT_FALSE(open_metrics("*/*"));
  EXPECT_FALSE(open_metrics("text/plain"));
  EXPECT_TRUE(open_metrics("application/openmetrics-text; version=1.0.0"));
  EXPECT_FALSE(open_metrics("application/openmetrics-text;q=0.5, text/plain;q=0.9"));
  EXPECT_TRUE(open_metrics("application/openmetrics-text;q=0.5, text/plain;q=0.2, */*;q=0.1"));
  EXPECT_TRUE(open_metrics("application/openmetrics-text, text/plain"));
  EXPECT_FALSE(open_metrics("application/openmetrics-text;q=0"));
  EXPECT_FALSE(open_metrics("application/json"));
}

TEST(EncodingTest, IsTakenWhereItIsNamed) {
  EXPECT_EQ(encoding_weight(nullptr, "gzip"), 0);
  EXPECT_EQ(encoding("gzip, deflate, br"), 1000);
  EXPECT_EQ(encoding("br;q=1.0, gzip;q=0.8, *;q=0.1"), 800);
  EXPECT_EQ(encoding("gzip;q=0"), 0);
  EXPECT_EQ(encoding("*"), 1000);
  EXPECT_EQ(encoding("gzip;q=0, *"), 0);
  EXPECT_EQ(encoding("identity"), 0);
}

TEST(EtagTest, MatchesWeaklyInLists) {
  const auto matches = [](const std::string& header) { return matches_etag(&header, "\"a\""); };
  EXPECT_FALSE(matches_etag(nullptr, "\"a\""));
  EXPECT_TRUE(matches("\"a\""));
  EXPECT_TRUE(matches("\"b\", W/\"a\""));
  EXPECT_TRUE(matches("*"));
  EXPECT_FALSE(matches("\"b\""));
  EXPECT_FALSE(matches("a"));
  EXPECT_FALSE(matches(""));
}

}  // namespace
}  // namespace mayfly
