#include "common/name_pattern.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mayfly {
namespace {

/// The definition, by recursion: exponential, for short texts.
bool matches_by_definition(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] == '*') {
    return matches_by_definition(pattern.substr(1), name) ||
           (!name.empty() && matches_by_definition(pattern, name.substr(1)));
  }
  return !name.empty() && name[0] == pattern[0] && matches_by_definition(pattern.substr(1), name.substr(1));
}

/// All texts over `letters` of up to `length`.
std::vector<std::string> texts(std::string_view letters, std::size_t length) {
  std::vector<std::string> out = {""};
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i].size() == length) break;
    for (const char letter : letters) out.push_back(out[i] + letter);
  }
  return out;
}

TEST(NamePattern, AgreesWithItsDefinition) {
  for (const std::string& pattern : texts("ab*", 5)) {
    for (const std::string& name : texts("ab", 5)) {
      ASSERT_EQ(name_matches(pattern, name), matches_by_definition(pattern, name)) << pattern << " " << name;
    }
  }
}

TEST(NamePattern, OnlyTheStarIsSpecial) {
  EXPECT_TRUE(name_matches("app-*", "app-"));
  EXPECT_TRUE(name_matches("app-*", "app-web.1"));
  EXPECT_FALSE(name_matches("app-*", "app"));
  EXPECT_FALSE(name_matches("a.c", "abc"));
  EXPECT_FALSE(name_matches("A*", "abc"));
  EXPECT_TRUE(name_matches("*", "x"));
}

TEST(NamePattern, ManyStarsAgainstALongNameEnd) {
  std::string pattern;
  for (int i = 0; i < 64; ++i) pattern += "*a";
  EXPECT_FALSE(name_matches(pattern + "b", std::string(128, 'a')));
  EXPECT_TRUE(name_matches(pattern, std::string(128, 'a')));
}

TEST(NamePattern, ValidPatterns) {
  for (const char* pattern : {"*", "app-*", "*.log", "_x", "a*b*c", "9"})
    EXPECT_TRUE(valid_name_pattern(pattern)) << pattern;
  for (const char* pattern : {"", ".x", "-x", "a/b", "a b", "a?", "[ab]", "\xc3\xa4"}) {
    EXPECT_FALSE(valid_name_pattern(pattern)) << pattern;
  }
  EXPECT_TRUE(valid_name_pattern(std::string(128, 'a')));
  EXPECT_FALSE(valid_name_pattern(std::string(129, 'a')));
}

}  // namespace
}  // namespace mayfly
