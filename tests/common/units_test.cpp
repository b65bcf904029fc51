#include "common/units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mayfly {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kMax = UINT64_MAX;

TEST(Units, SizesAreExact) {
  EXPECT_EQ(parse_size("0").value(), 0u);
  EXPECT_EQ(parse_size("1").value(), 1u);
  EXPECT_EQ(parse_size("64KiB").value(), 65536u);
  EXPECT_EQ(parse_size("3MiB").value(), 3145728u);
  EXPECT_EQ(parse_size("2GiB").value(), 2147483648u);
  EXPECT_EQ(parse_size("18446744073709551615").value(), kMax);
  EXPECT_EQ(parse_size("18014398509481983KiB").value(), kMax - 1023);
}

TEST(Units, AgesAreSeconds) {
  EXPECT_EQ(parse_age("0").value(), 0u);
  EXPECT_EQ(parse_age("90").value(), 90u);
  EXPECT_EQ(parse_age("90s").value(), 90u);
  EXPECT_EQ(parse_age("15m").value(), 900u);
  EXPECT_EQ(parse_age("24h").value(), 86400u);
  EXPECT_EQ(parse_age("7d").value(), 604800u);
  EXPECT_EQ(parse_age("18446744073709551615s").value(), kMax);
}

TEST(Units, BorderNumbers) {
  for (const std::uint64_t n : {0ull, 1ull, (1ull << 31) - 1, 1ull << 31, (1ull << 31) + 1, (1ull << 32) - 1,
                                1ull << 32, (1ull << 32) + 1, 1ull << 63, ~0ull}) {
    EXPECT_EQ(parse_integer(std::to_string(n)).value(), n);
    EXPECT_EQ(parse_size(std::to_string(n)).value(), n);
    EXPECT_EQ(parse_age(std::to_string(n)).value(), n);
    EXPECT_EQ(parse_size(format_size(n)).value(), n);
    EXPECT_EQ(parse_age(format_age(n)).value(), n);
  }
}

TEST(Units, RefusesWhatIsNoPlainNumber) {
  for (const char* text : {"",     " ",   "-1",     "+1",    "01",      "007",   "0x10", "0o7",
                           "1.0",  "1e3", ".5",     "1_000", "1,000",   " 1",    "1 ",   "unlimited",
                           "null", "~",   "true",   ".inf",  ".nan",    "1 KiB", "1kib", "1K",
                           "1KB",  "KiB", "1.5MiB", "00",    "0KiBKiB", "1KiB ", "abc",  "\xef\xbc\x91"}) {
    EXPECT_FALSE(parse_integer(text).ok()) << text;
    EXPECT_FALSE(parse_size(text).ok()) << text;
  }
  for (const char* text : {"", "-1s", "01s", "1.5h", "1h30m", "1S", "1 s", "1w", "s", "1ms", "unlimited"}) {
    EXPECT_FALSE(parse_age(text).ok()) << text;
  }
  EXPECT_FALSE(parse_integer("1KiB").ok());
}

TEST(Units, RefusesWhatIsBeyond64Bits) {
  for (const char* text : {"18446744073709551616", "99999999999999999999", "18014398509481984KiB",
                           "17592186044416MiB", "17179869184GiB", "1000000000000000000000000000000"}) {
    ASSERT_FALSE(parse_size(text).ok()) << text;
    EXPECT_THAT(parse_size(text).error().text, HasSubstr("beyond 64 bits"));
  }
  EXPECT_THAT(parse_age("213503982334602d").error().text, HasSubstr("beyond 64 bits"));
}

TEST(Units, SaysWhatIsWrong) {
  EXPECT_THAT(parse_size("-5").error().text, HasSubstr("negative"));
  EXPECT_THAT(parse_size("010").error().text, HasSubstr("octal"));
  EXPECT_THAT(parse_size("unlimited").error().text, HasSubstr("the largest is 2^64-1"));
  EXPECT_THAT(parse_size("many").error().text, HasSubstr("is not a size"));
  EXPECT_THAT(parse_age("2x").error().text, HasSubstr("is not an age"));
}

TEST(Units, PrintsTheShortestExactForm) {
  EXPECT_EQ(format_size(0), "0");
  EXPECT_EQ(format_size(1000), "1000");
  EXPECT_EQ(format_size(1024), "1KiB");
  EXPECT_EQ(format_size(1536), "1536");
  EXPECT_EQ(format_size(256ull << 20), "256MiB");
  EXPECT_EQ(format_age(0), "0s");
  EXPECT_EQ(format_age(61), "61s");
  EXPECT_EQ(format_age(900), "15m");
  EXPECT_EQ(format_age(86400), "1d");
}

TEST(Units, PrintsRoundedForPeople) {
  EXPECT_EQ(format_size_rounded(999), "999 B");
  EXPECT_EQ(format_size_rounded(1024), "1.0 KiB");
  EXPECT_EQ(format_size_rounded(1536), "1.5 KiB");
  EXPECT_EQ(format_size_rounded(2047), "2.0 KiB");
  EXPECT_EQ(format_size_rounded(~0ull), "17179869184.0 GiB");
}

}  // namespace
}  // namespace mayfly
