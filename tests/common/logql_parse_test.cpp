#include <gmock/gmock.h>

#include "common/logql.h"
#include "common/logql_labels.h"
#include "common/logql_lexer.h"

namespace mayfly::logql {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Spelling {
  std::string query;
  std::string canonical;
};

TEST(LogqlParseTest, AcceptsWhatReadersSend) {
  const std::vector<Spelling> table = {
      {R"({kind="log"})", R"({kind="log"})"},
      {R"(  { kind = "log" , directory=~"a.*", key!="x",key!~"y", } )",
       R"({kind="log", directory=~"a.*", key!="x", key!~"y"})"},
      {R"({kind="log"} |= "a" != `b\d` |~ "c+" !~ "d")", R"({kind="log"} |= "a" != "b\\d" |~ "c+" !~ "d")"},
      {R"({kind="log"} |= "a" or "b" |= "c")", R"({kind="log"} |= "a" or "b" |= "c")"},
      {R"({kind="log"} |= ``)", R"({kind="log"} |= "")"},
      {R"({kind="log"} | detected_level="error")", R"({kind="log"} | detected_level="error")"},
      {R"({kind="log"} | a="x" or b="y" and c!="z" | d=~"w")",
       R"({kind="log"} | (a="x" or (b="y" and c!="z")) | d=~"w")"},
      {R"({kind="log"} | (a="x" or b="y"), c="z")", R"({kind="log"} | ((a="x" or b="y") and c="z"))"},
      {R"({kind="log"} | a="x" b="y")", R"({kind="log"} | (a="x" and b="y"))"},
      {R"({kind="log"} | __error__="" | drop __error__, key="x")",
       R"({kind="log"} | __error__="" | drop __error__, key="x")"},
      {R"({kind="log"} | keep key | drop="x" | keep!="y")",
       R"({kind="log"} | keep key | drop="x" | keep!="y")"},
      {R"(({kind="log"}) |= "x")", R"({kind="log"} |= "x")"},
      {R"(count_over_time({kind="log"}[5m]))", R"(count_over_time({kind="log"} [5m]))"},
      {R"(rate({kind="log"} |= "x" [1h30m]))", R"(rate({kind="log"} |= "x" [1h30m]))"},
      {R"(bytes_over_time({kind="log"}[1.5s] |= "x"))", R"(bytes_over_time({kind="log"} |= "x" [1s500ms]))"},
      {R"(bytes_rate(({kind="log"} |= "x")[5m] offset 1h))",
       R"(bytes_rate({kind="log"} |= "x" [5m] offset 1h))"},
      {R"(rate({kind="log"}[5m] offset -2d))", R"(rate({kind="log"} [5m] offset -2d))"},
      {R"(sum by (level, detected_level) (count_over_time({kind="log"} |= "x" | drop __error__ [1s])))",
       R"(sum by (level, detected_level) (count_over_time({kind="log"} |= "x" | drop __error__ [1s])))"},
      {R"(sum(rate({kind="log"}[1m])) by (key))", R"(sum by (key) (rate({kind="log"} [1m])))"},
      {R"(avg without(key)(rate({kind="log"}[1m])))", R"(avg without (key) (rate({kind="log"} [1m])))"},
      {R"(topk(3, sum by () (rate({kind="log"}[1m]))))", R"(topk(3, sum by () (rate({kind="log"} [1m]))))"},
      {R"(bottomk by (key) (1, rate({kind="log"}[1m])))", R"(bottomk by (key) (1, rate({kind="log"} [1m])))"},
      {"vector(1)+vector(1)", "(vector(1) + vector(1))"},
      {"1 + 2 * 3 ^ 2 ^ 0.5 - -4", "((1 + (2 * (3 ^ (2 ^ 0.5)))) - -4)"},
      {"1e3 / 2.5e-1", "(1000 / 0.25)"},
      {R"(sum(rate({kind="log"}[1m])) > bool 5 or vector(0))",
       R"(((sum(rate({kind="log"} [1m])) > bool 5) or vector(0)))"},
      {R"(min(rate({kind="log"}[1m])) unless vector(1) and vector(2))",
       R"(((min(rate({kind="log"} [1m])) unless vector(1)) and vector(2)))"},
      {"{kind=\"log\"} # a remark\n|= \"x\"", R"({kind="log"} |= "x")"},
      {R"({kind="\x41\u00e9\n\"\101"})", "{kind=\"A\xc3\xa9\\n\\\"A\"}"},
      {R"({sum="a", by="b", count_over_time="c"})", R"({sum="a", by="b", count_over_time="c"})"},
  };
  for (const auto& [text, canonical] : table) {
    const auto query = parse(text);
    ASSERT_TRUE(query.ok()) << text << "\n" << query.error().text;
    EXPECT_EQ(to_text(query.value()), canonical) << text;
    const auto again = parse(to_text(query.value()));
    ASSERT_TRUE(again.ok()) << to_text(query.value()) << "\n" << again.error().text;
    EXPECT_EQ(to_text(again.value()), to_text(query.value()));
  }
}

TEST(LogqlParseTest, RefusesWithThePlace) {
  const std::vector<Spelling> table = {
      {"", "parse error at line 1, col 1: syntax error: unexpected $end"},
      {"{", "parse error at line 1, col 2: syntax error: unexpected $end"},
      {R"({kind})",
       "parse error at line 1, col 6: syntax error: unexpected }, expecting = or =~ or != or !~"},
      {R"({kind=log})",
       "parse error at line 1, col 7: syntax error: unexpected IDENTIFIER \"log\", expecting STRING"},
      {R"({kind="log")", "parse error at line 1, col 12: syntax error: unexpected $end, expecting } or ,"},
      {R"({kind="log"} |= x)", "parse error at line 1, col 17"},
      {"{kind=\"log\"}\n|= x", "parse error at line 2, col 4"},
      {"{kind=\"\xc3\xa9\"} x", "parse error at line 1, col 12"},
      {R"({kind="log)", "parse error at line 1, col 7: literal not terminated"},
      {R"({kind="\q"})", "parse error at line 1, col 7: invalid char escape"},
      {R"({kind=~"("})", "parse error at line 1, col 8: error parsing regexp"},
      {R"({kind="log"} |~ "[")", "parse error at line 1, col 17"},
      {R"({})", "parse error : queries require at least one"},
      {R"({kind=~".*"})", "parse error : queries require at least one"},
      {R"({kind!="x"})", "parse error : queries require at least one"},
      {R"(rate({kind!="x"}[5m]))", "parse error : queries require at least one"},
      {R"({kind="log"} | json)", "parse error at line 1, col 16: the stage json is not supported"},
      {R"({kind="log"} | logfmt | a="b")", "the stage logfmt is not supported"},
      {R"({kind="log"} | line_format "x")", "the stage line_format is not supported"},
      {R"({kind="log"} |> "<_>")", "pattern line filters are not supported"},
      {R"({kind="log"} |= ip("::1"))", "ip() line filters are not supported"},
      {R"({kind="log"} | a > 5)", "labels are compared with strings only"},
      {R"({kind="log"} | a == 5)", "labels are compared with strings only"},
      {R"(count_over_time({kind="log"}))", "unexpected ), expecting RANGE"},
      {R"(count_over_time({kind="log"}[5m][5m]))", "unexpected RANGE"},
      {R"(count_over_time({kind="log"}[5m]) by (key))", "grouping not allowed for count_over_time"},
      {R"(count_over_time({kind="log"}[0s]))", "above 0"},
      {R"(count_over_time({kind="log"}[x]))", "not a valid duration string"},
      {R"(count_over_time({kind="log"}[5m))", "missing closing ']'"},
      {R"(count_over_time({kind="log"}[99y]))", "a range of more than 50 years"},
      {R"(sum({kind="log"}))", "unexpected log query"},
      {R"({kind="log"} + 1)", "unexpected"},
      {R"(1 + {kind="log"})", "unexpected type for an operand"},
      {R"(quantile_over_time(0.9, {kind="log"} | unwrap x [5m]))",
       "the function quantile_over_time is not supported"},
      {R"(rate({kind="log"} | unwrap x [5m]))", "the stage unwrap is not supported"},
      {R"(topk(0, rate({kind="log"}[5m])))", "invalid parameter"},
      {R"(topk(rate({kind="log"}[5m])))", "expecting NUMBER"},
      {R"(sum(rate({kind="log"}[5m])) / on(key) sum(rate({kind="log"}[5m])))", "on is not supported"},
      {"nonsense(1)", "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER"},
      {"vector(1) vector(1)", "parse error at line 1, col 11"},
      {"1 +", "unexpected $end"},
      {"12abc", "not a number"},
      {"$", "unexpected character"},
      {"{kind=\"\xff\"}", "parse error : the query is not UTF-8"},
      {std::string(kMaxQueryBytes + 1, ' '), "parse error : input size too long"},
      {std::string(1000, '(') + "1" + std::string(1000, ')'), "nested too deeply"},
      {R"({kind="log"} | )" + std::string(1000, '(') + "a", "nested too deeply"},
  };
  for (const auto& [text, error] : table) {
    const auto query = parse(text);
    ASSERT_FALSE(query.ok()) << text;
    EXPECT_THAT(query.error().text, StartsWith("parse error")) << text;
    EXPECT_THAT(query.error().text, HasSubstr(error)) << text;
  }
}

TEST(LogqlParseTest, BoundsWhatAQueryMayCost) {
  std::string patterns = R"({kind="log"})";
  for (std::size_t i = 0; i <= kMaxPatterns; ++i) patterns += R"( |~ "x")";
  EXPECT_THAT(parse(patterns).error().text, HasSubstr("regular expressions"));
  std::string leaves = R"(rate({kind="log"}[1s]))";
  for (std::size_t i = 0; i < kMaxLeaves; ++i) leaves += R"( + rate({kind="log"}[1s]))";
  EXPECT_THAT(parse(leaves).error().text, HasSubstr("range aggregations"));
  std::string filters = R"({kind="log"} | a="b")";
  for (std::size_t i = 0; i < 2 * kMaxDepth; ++i) filters += R"( and a="b")";
  EXPECT_THAT(parse(filters).error().text, HasSubstr("in a row"));
}

TEST(LogqlParseTest, SelectorsAlone) {
  EXPECT_EQ(parse_selector("{}").value().size(), 0u);
  EXPECT_EQ(parse_selector(R"({a="b"})").value().size(), 1u);
  EXPECT_EQ(parse_selector(R"({a="b"} |= "x")").error().text, "only label matchers are supported");
  EXPECT_EQ(parse_log_query("vector(1)").error().text, "only log selector is supported");
}

TEST(LogqlParseTest, DurationsComeBackAsTheyWere) {
  const std::vector<std::pair<std::string, std::int64_t>> table = {
      {"5m", 300'000'000'000},
      {"1h30m", 5'400'000'000'000},
      {"250ms", 250'000'000},
      {"1d", 86'400'000'000'000},
      {"1w", 604'800'000'000'000},
      {"0.5s", 500'000'000},
      {"1y", 31'536'000'000'000'000},
      {"7ns", 7},
      {"3us", 3000},
      {"1h1ns", 3'600'000'000'001},
      {"1m0s", 60'000'000'000},
  };
  for (const auto& [text, ns] : table) {
    ASSERT_EQ(parse_duration(text), ns) << text;
    EXPECT_EQ(parse_duration(format_duration(ns)), ns);
  }
  for (const char* text : {"", "5", "m", "5x", "1..5s", "-5m", "5m ", "999999999y"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(LogqlLabelsTest, MatchersAreAnchored) {
  const Labels labels = {{"directory", "web-1"}, {"key", "a\nb"}};
  const auto fits = [&](const std::string& selector) {
    return selects(parse_selector(selector).value(), labels);
  };
  EXPECT_TRUE(fits(R"({directory="web-1"})"));
  EXPECT_TRUE(fits(R"({directory=~"web-.", key=~"a.b"})"));
  EXPECT_FALSE(fits(R"({directory=~"web"})"));
  EXPECT_FALSE(fits(R"({directory=~"eb-1"})"));
  EXPECT_TRUE(fits(R"({directory=~"x|web-1"})"));
  EXPECT_TRUE(fits(R"({directory!~"web"})"));
  EXPECT_FALSE(fits(R"({directory!="web-1"})"));
  EXPECT_TRUE(fits(R"({other=""})"));
  EXPECT_TRUE(fits(R"({other!="x", other!~".+"})"));
  EXPECT_FALSE(fits(R"({other=~".+"})"));
}

TEST(LogqlLabelsTest, LineFilters) {
  const auto passes = [](const std::string& stages, const std::string& line) {
    return line_passes(parse_log_query(R"({kind="log"} )" + stages).value().stages, line);
  };
  EXPECT_TRUE(passes("", "anything"));
  EXPECT_TRUE(passes(R"(|= "b" != "x" |~ "^a" !~ "d$")", "abc"));
  EXPECT_FALSE(passes(R"(|= "b" |= "d")", "abc"));
  EXPECT_TRUE(passes(R"(|= "x" or "b")", "abc"));
  EXPECT_FALSE(passes(R"(!= "x" or "b")", "abc"));
  EXPECT_FALSE(passes(R"(!~ "x" or "b.")", "abc"));
  EXPECT_TRUE(passes(R"(|~ "(?i)ERROR")", "an error"));
  EXPECT_TRUE(passes("|= `\xc3\xa9`", "\xff caf\xc3\xa9"));
  EXPECT_TRUE(passes("|= \"\\xff\"", "\xff"));
}

TEST(LogqlLabelsTest, LabelStages) {
  const Labels labels = {{"detected_level", "error"}, {"directory", "web"}, {"key", "a"}};
  const auto after = [&](const std::string& stages) -> std::string {
    const auto made = label_stages(parse_log_query(R"({kind="log"} )" + stages).value().stages, labels);
    if (!made) return "none";
    std::string out;
    for (const auto& [name, value] : *made) out += name + "=" + value + " ";
    return out;
  };
  EXPECT_EQ(after(R"(| detected_level="error" | __error__="")"), "detected_level=error directory=web key=a ");
  EXPECT_EQ(after(R"(| detected_level="info")"), "none");
  EXPECT_EQ(after(R"(| detected_level="info" or key="a")"), "detected_level=error directory=web key=a ");
  EXPECT_EQ(after(R"(| key="b" or key="c" and directory="web")"), "none");
  EXPECT_EQ(after("| drop key, detected_level, absent"), "directory=web ");
  EXPECT_EQ(after(R"(| drop key="b", directory=~"w.*")"), "detected_level=error key=a ");
  EXPECT_EQ(after("| keep key"), "key=a ");
  EXPECT_EQ(after(R"(| drop key | key="a")"), "none");
  EXPECT_EQ(after(R"(| drop key | key="")"), "detected_level=error directory=web ");
}

TEST(LogqlLabelsTest, KnowsWhereTheLevelMatters) {
  const auto needs = [](const std::string& query, const Grouping* kept) {
    return needs_level(parse_log_query(query).value(), kept);
  };
  const Grouping by_level{false, {"level", "detected_level"}};
  const Grouping by_key{false, {"key"}};
  const Grouping without_level{true, {"detected_level"}};
  EXPECT_TRUE(needs(R"({kind="log"})", nullptr));
  EXPECT_TRUE(needs(R"({kind="log"})", &by_level));
  EXPECT_FALSE(needs(R"({kind="log"})", &by_key));
  EXPECT_FALSE(needs(R"({kind="log"})", &without_level));
  EXPECT_TRUE(needs(R"({kind="log"} | detected_level="x")", &by_key));
  EXPECT_FALSE(needs(R"({kind="log"} | drop detected_level | detected_level="x")", nullptr));
  EXPECT_FALSE(needs(R"({kind="log"} | keep key)", &by_level));
}

TEST(LogqlLevelTest, IsReadFromTheLine) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"", "unknown"},
      {"nothing to see", "unknown"},
      {"ERROR: it broke", "error"},
      {"2026-11-21 [warn] careful", "warn"},
      {"INFO could not find the error page", "info"},
      {"terror and informal errors", "unknown"},
      {"error_count 5", "unknown"},
      {"\x1b[31mERROR\x1b[0m red", "error"},
      {R"({"msg":"info","level":"warn"})", "warn"},
      {R"({"level":"WARNING","msg":"an error"})", "warn"},
      {R"( {"a":{"Severity" : "Fatal"}} )", "fatal"},
      {R"({"msg":"\"level\":\"debug\"","lvl":"trc"})", "trace"},
      {R"({"level":30,"msg":"error"})", "error"},
      {R"(ts=1 level=dbg msg="an error")", "debug"},
      {R"(ts=1 severity="critical" msg=x)", "critical"},
      {R"(sublevel=info x)", "info"},
      {R"(level=verbose warning)", "warn"},
      {"{\"level", "unknown"},
      {"level=", "unknown"},
      {std::string(5000, ' ') + "error", "error"},
      {std::string(5000, 'x') + " error", "unknown"},
      {"\xff\xfe panic \x80", "fatal"},
  };
  for (const auto& [line, level] : table) EXPECT_EQ(level_name(detect_level(line)), level) << line;
}

}  // namespace
}  // namespace mayfly::logql
