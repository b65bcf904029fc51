#include <gtest/gtest.h>

#include <string>

#include "common/tripcode.h"

namespace mayfly {
namespace {

std::string hex(const Blake3Hash& hash) {
  std::string text;
  for (const std::uint8_t byte : hash) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

/// The input of the algorithm's published test vectors: bytes 0 to 250, over and over.
std::string counting(std::size_t length) {
  std::string text(length, '\0');
  for (std::size_t i = 0; i < length; ++i) text[i] = static_cast<char>(i % 251);
  return text;
}

TEST(Blake3, PublishedVectors) {
  EXPECT_EQ(hex(blake3("")), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
  EXPECT_EQ(hex(blake3(counting(1))), "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213");
  EXPECT_EQ(hex(blake3(counting(1023))), "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11");
  EXPECT_EQ(hex(blake3(counting(1024))), "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7");
  EXPECT_EQ(hex(blake3(counting(1025))), "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444");
  EXPECT_EQ(hex(blake3(counting(2048))), "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a");
  EXPECT_EQ(hex(blake3(counting(2049))), "5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b6879522563030");
  EXPECT_EQ(hex(blake3(counting(31744))), "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47");
}

TEST(Tripcode, ThoseOfOtherImplementations) {
  EXPECT_EQ(tripcode(""), "rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmI=");
  EXPECT_EQ(tripcode("secretpassword"), "v7tW77nRaiC9s31Y6JoDcHTOHNzEDhhmKHZRBHKc87s=");
  EXPECT_EQ(tripcode("bad_password"), "ZVaXlh2fbHsPIuv3fi6wdpE4jTY7uM3kf9AUDz7x8Yk=");
  EXPECT_EQ(tripcode("my_server"), "eFMel5BUXds3Sy27EAkah1INB03ow1l94dKiNIdHmec=");
  EXPECT_EQ(tripcode(std::string(88, 'A')), "52BOrS2KB3jzWTGgKuR5kH490c5/5MV39olA//OHHq8=");
  EXPECT_EQ(tripcode(std::string(1025, 'A')), "M1xAjTYUF3Pj7f/xRXk+iEY+oSQnqsAFaXarDMUUOgY=");
  EXPECT_EQ(tripcode("PlaypenCausalPlatformCommodeImproveCatalyze"),
            "A9rPwZyY89Ag4TJjMoyYA2NeGOm99Je6rq1s0rg8PfY=");
}

TEST(Tripcode, ParsesItsOwnTextsWithAndWithoutPadding) {
  const std::string text = tripcode("some key");
  ASSERT_TRUE(parse_tripcode(text).has_value());
  EXPECT_EQ(*parse_tripcode(text), blake3("some key"));
  EXPECT_EQ(parse_tripcode(text.substr(0, 43)), parse_tripcode(text));
}

TEST(Tripcode, RefusesOtherTexts) {
  const std::string text = tripcode("some key");
  EXPECT_FALSE(parse_tripcode(""));
  EXPECT_FALSE(parse_tripcode("some key"));
  EXPECT_FALSE(parse_tripcode(text.substr(0, 42)));
  EXPECT_FALSE(parse_tripcode(text + "="));
  EXPECT_FALSE(parse_tripcode(" " + text.substr(1)));
  EXPECT_FALSE(parse_tripcode(text.substr(0, 20) + "*" + text.substr(21)));
  EXPECT_FALSE(parse_tripcode(text.substr(0, 42) + "=="));
  // The last character's low bits belong to no byte: B for A would be a second text of one hash.
  EXPECT_FALSE(parse_tripcode(std::string(42, 'A') + "B="));
  EXPECT_TRUE(parse_tripcode(std::string(42, 'A') + "A="));
}

TEST(Tripcode, KnowsWellKnownPasswords) {
  for (const std::string password : {"", "secretpassword", "bad_password", "my_server", "changeme"}) {
    EXPECT_TRUE(is_well_known_password(blake3(password))) << password;
  }
  EXPECT_TRUE(is_well_known_password(blake3(std::string(88, 'A'))));
  EXPECT_FALSE(is_well_known_password(blake3("f8U0q9zVt1cX2mLk")));
}

TEST(Tripcode, SameHashComparesAll) {
  Blake3Hash a = blake3("x");
  Blake3Hash b = a;
  EXPECT_TRUE(same_hash(a, b));
  b[31] ^= 1;
  EXPECT_FALSE(same_hash(a, b));
}

}  // namespace
}  // namespace mayfly
