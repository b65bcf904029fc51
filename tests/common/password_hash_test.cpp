// Passwords and random keys.
#include "common/password_hash.h"

#include <gtest/gtest.h>

#include <set>

#include "common/random_key.h"
#include "common/request_target.h"

namespace mayfly {
namespace {

TEST(PasswordHash, IsYescryptWithASaltOfItsOwn) {
  const std::string a = hash_password("one two three").value();
  const std::string b = hash_password("one two three").value();
  EXPECT_TRUE(a.starts_with("$y$"));
  EXPECT_NE(a, b);
  EXPECT_TRUE(password_matches("one two three", a));
  EXPECT_TRUE(password_matches("one two three", b));
  EXPECT_FALSE(password_matches("one two thre", a));
  EXPECT_FALSE(password_matches("", a));
}

TEST(PasswordHash, ReadsWhatOthersMade) {
  // openssl passwd -6 -salt saltstring 'Hello world!'
  EXPECT_TRUE(password_matches("Hello world!",
                               "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"
                               "O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"));
}

TEST(PasswordHash, RefusesWhatIsNone) {
  EXPECT_FALSE(hash_password("").ok());
  EXPECT_FALSE(hash_password(std::string("a\0b", 3)).ok());
  EXPECT_FALSE(hash_password(std::string(kMaxPasswordBytes + 1, 'x')).ok());
  EXPECT_TRUE(hash_password(std::string(kMaxPasswordBytes, 'x')).ok());
  const std::string hash = hash_password("abc").value();
  EXPECT_FALSE(password_matches(std::string("abc\0d", 5), hash));
  EXPECT_FALSE(password_matches("abc", ""));
  EXPECT_FALSE(password_matches("abc", "*0"));
  EXPECT_FALSE(password_matches("abc", "abc"));
  EXPECT_FALSE(password_matches("", ""));
  EXPECT_TRUE(is_password_hash(hash));
  EXPECT_FALSE(is_password_hash("$nosuch$x$y"));
  EXPECT_FALSE(is_password_hash("*0"));
}

TEST(RandomKey, NeverTwice) {
  std::set<std::string> keys;
  for (int i = 0; i < 1000; ++i) keys.insert(random_key().value());
  EXPECT_EQ(keys.size(), 1000u);
  EXPECT_EQ(keys.begin()->size(), 43u);
}

TEST(KeyedHash, IsHmacSha256) {
  // RFC 4231, test case 2.
  EXPECT_EQ(keyed_hash("Jefe", "what do ya want for nothing?"),
            "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM");
  EXPECT_TRUE(same_secret("a", "a"));
  EXPECT_FALSE(same_secret("a", "b"));
  EXPECT_FALSE(same_secret("a", "aa"));
}

TEST(Form, IsDecoded) {
  const auto fields = parse_form("a=1+2&b=%26%3D&c=&d");
  ASSERT_TRUE(fields.ok());
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"a", "1 2"}, {"b", "&="}, {"c", ""}, {"d", ""}};
  EXPECT_EQ(fields.value(), expected);
  EXPECT_FALSE(parse_form("a=1&a=2").ok());
  EXPECT_FALSE(parse_form("a=%").ok());
}

}  // namespace
}  // namespace mayfly
