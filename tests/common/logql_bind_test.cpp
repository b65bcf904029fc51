#include <gtest/gtest.h>

#include "common/logql_bind.h"

namespace mayfly::logql {
namespace {

/// The query for the host "web-1"; "none" where it has nothing to say; a "-" in front where the label is
/// dropped.
std::string bound(const std::string& text) {
  const auto query = bind_label(parse_log_query(text).value(), "server", "web-1");
  if (!query) return "none";
  // What is left over is a query again.
  EXPECT_TRUE(parse_log_query(to_text(query->query)).ok()) << to_text(query->query);
  return (query->keeps_label ? "" : "-") + to_text(query->query);
}

TEST(LogqlBindTest, LeavesTheQueryThatAHostUnderstands) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {R"({kind="log"})", R"({kind="log"})"},
      {R"({kind="log", server="web-1"})", R"({kind="log"})"},
      {R"({kind="log", server=~"web-.+", server!="web-2"})", R"({kind="log"})"},
      {R"({kind="log", server="web-2"})", "none"},
      {R"({kind="log", server!~"web.*"})", "none"},
      {R"({server="web-1"})", R"({kind=~".+"})"},
      {R"({server="web-1", key!="x"})", R"({key!="x", kind=~".+"})"},
      {R"({kind="log"} |= "x" | server="web-1")", R"({kind="log"} |= "x")"},
      {R"({kind="log"} | server="web-2")", "none"},
      {R"({kind="log"} | server="web-2" or key="a")", R"({kind="log"} | key="a")"},
      {R"({kind="log"} | server="web-1" or key="a")", R"({kind="log"})"},
      {R"({kind="log"} | server="web-1" and key="a")", R"({kind="log"} | key="a")"},
      {R"({kind="log"} | server="web-2" and key="a" or key="b" and key!="c")",
       R"({kind="log"} | (key="b" and key!="c"))"},
      {R"({kind="log"} | drop server)", R"(-{kind="log"} | drop server)"},
      {R"({kind="log"} | drop server="web-2")", R"({kind="log"} | drop server="web-2")"},
      {R"({kind="log"} | keep key)", R"(-{kind="log"} | keep key)"},
      {R"({kind="log"} | keep key, server)", R"({kind="log"} | keep key, server)"},
      {R"({kind="log"} | drop server | server="web-1")", "none"},
      {R"({kind="log"} | drop server | server="")", R"(-{kind="log"} | drop server)"},
  };
  for (const auto& [query, expected] : table) EXPECT_EQ(bound(query), expected) << query;
}

TEST(LogqlBindTest, SelectorsAlone) {
  EXPECT_FALSE(bind_label(parse_selector(R"({server="x"})").value(), "server", "web-1"));
  EXPECT_EQ(to_text(*bind_label(parse_selector("{}").value(), "server", "web-1")), R"({kind=~".+"})");
}

}  // namespace
}  // namespace mayfly::logql
