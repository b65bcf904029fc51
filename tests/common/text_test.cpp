#include "common/text.h"

#include <gtest/gtest.h>

namespace mayfly {
namespace {

TEST(Text, Utf8_IsStrict) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("plain"));
  EXPECT_TRUE(is_utf8("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9b \xf4\x8f\xbf\xbf"));
  EXPECT_FALSE(is_utf8("\xff"));
  EXPECT_FALSE(is_utf8("\xc0\x80"));          // overlong
  EXPECT_FALSE(is_utf8("\xe0\x9f\xbf"));      // overlong
  EXPECT_FALSE(is_utf8("\xf0\x8f\xbf\xbf"));  // overlong
  EXPECT_FALSE(is_utf8("\xed\xa0\x80"));      // surrogate
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80"));  // beyond U+10FFFF
  EXPECT_FALSE(is_utf8("\xe2\x82"));          // cut off
  EXPECT_FALSE(is_utf8("\x80"));
}

TEST(Text, InvalidBytesAreShownAndBackslashesStay) {
  EXPECT_EQ(escape_invalid_utf8("a\\b"), "a\\b");
  EXPECT_EQ(escape_invalid_utf8("a\xff\xc3(\xc3\xa9"), "a\\xff\\xc3(\xc3\xa9");
  EXPECT_EQ(escape_invalid_utf8("\xe2\x82"), "\\xe2\\x82");
}

TEST(Text, ControlBytesMoveNoTerminal) {
  EXPECT_EQ(escape_control("a\x1b[31m\n\t\r\x7f"), "a\\x1b[31m\\n\\t\\r\\x7f");
  EXPECT_EQ(escape_control("\xc2\x9b"
                           "31m"),
            "\\xc2\\x9b31m");  // C1 CSI
  EXPECT_EQ(escape_control("\xc3\xa9"), "\xc3\xa9");
  EXPECT_EQ(escape_control(std::string_view("\0x", 2)), "\\x00x");
}

TEST(Text, JsonStrings) {
  std::string out;
  append_json_string(out, std::string_view("a\"\\\n\x01\xff\xc3\xa9\0", 9));
  EXPECT_EQ(out, "\"a\\\"\\\\\\n\\u0001\\\\xff\xc3\xa9\\u0000\"");
}

TEST(Text, Base64_RoundTripsAndRefuses) {
  for (const std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    EXPECT_EQ(base64_decode(base64_encode(text)), text);
  }
  EXPECT_EQ(base64_encode("foob"), "Zm9vYg==");
  EXPECT_EQ(base64_decode("Zm9vYg"), "foob");
  EXPECT_EQ(base64_decode("_-8="), base64_decode("/+8"));
  EXPECT_EQ(base64_decode("Zm9vYg="), std::nullopt);
  EXPECT_EQ(base64_decode("Z"), std::nullopt);
  EXPECT_EQ(base64_decode("===="), std::nullopt);
  EXPECT_EQ(base64_decode("Zm9v Yg"), std::nullopt);
  EXPECT_EQ(base64_decode("Zm.vYg"), std::nullopt);
}

TEST(Text, PercentCoding) {
  EXPECT_EQ(percent_decode("a%2Fb%00+"), std::string("a/b\0+", 5));
  EXPECT_EQ(percent_decode("%"), std::nullopt);
  EXPECT_EQ(percent_decode("%4"), std::nullopt);
  EXPECT_EQ(percent_decode("%zz"), std::nullopt);
  EXPECT_EQ(percent_encode("a/b ~\xff"), "a%2Fb%20~%FF");
}

TEST(Text, TimesAreNanosecondsUtc) {
  EXPECT_EQ(format_time(0), "1970-01-01T00:00:00.000000000Z");
  const std::uint64_t time = 1795255200'000000001ull;
  EXPECT_EQ(format_time(time), "2026-11-21T10:00:00.000000001Z");
  EXPECT_EQ(parse_time("2026-11-21T10:00:00.000000001Z"), time);
  EXPECT_EQ(parse_time("2026-11-21T11:30:00.0000000019+01:30"), time);
  EXPECT_EQ(parse_time("2026-11-21T10:00:00Z"), time - 1);
  EXPECT_EQ(format_time(~0ull), "2554-07-21T23:34:33.709551615Z");
  EXPECT_EQ(parse_time("2554-07-21T23:34:33.709551615Z"), ~0ull);
}

TEST(Text, BadTimesAreRefused) {
  for (const char* text :
       {"", "2026-11-21", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-21T24:00:00Z",
        "2026-11-21T10:00:00", "2026-11-21T10:00:00.Z", "2026-11-21T10:00:00Zx", "1969-12-31T23:59:59Z",
        "9999-01-01T00:00:00Z", "2026-11-21T10:00:00+0100"}) {
    EXPECT_EQ(parse_time(text), std::nullopt) << text;
  }
}

TEST(Text, PointsInTime) {
  const std::uint64_t now = 1795255200'000000000ull;
  EXPECT_EQ(parse_point_in_time("15m", now).value(), now - 900'000000000ull);
  EXPECT_EQ(parse_point_in_time("1700000000", now).value(), 1700000000'000000000ull);
  EXPECT_EQ(parse_point_in_time("1700000000.25", now).value(), 1700000000'250000000ull);
  EXPECT_EQ(parse_point_in_time("2026-11-21T10:00:00Z", now).value(), now);
  EXPECT_EQ(parse_point_in_time("36500d", now).value(), 0u);
  for (const char* text : {"", "yesterday", "-5m", "15x", "1e9", "99999999999999999999"}) {
    EXPECT_FALSE(parse_point_in_time(text, now).ok()) << text;
  }
}

TEST(Text, Numbers) {
  EXPECT_EQ(parse_u64("18446744073709551615"), ~0ull);
  EXPECT_EQ(parse_u64("18446744073709551616"), std::nullopt);
  for (const char* text : {"", "-1", "+1", " 1", "1 ", "0x1", "1.0"})
    EXPECT_EQ(parse_u64(text), std::nullopt) << text;
}

}  // namespace
}  // namespace mayfly
