// LogQL, the part of it that is spoken here: the tree that a query is parsed into. docs/loki.md says
// what is in it; anything else is refused with Loki's own form of a parse error.
//
// Everything is immutable once parsed; any thread.
#pragma once

#include <re2/re2.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "shm/result.h"

namespace mayfly::logql {

inline constexpr std::size_t kMaxQueryBytes = 32 << 10;
inline constexpr std::size_t kMaxPatterns = 32;  // regular expressions in one query
inline constexpr std::size_t kMaxDepth = 64;     // of parentheses and operators
inline constexpr std::size_t kMaxLeaves = 8;     // range aggregations in one query
/// Of a range and of an offset: 50 years, so that no sum of times leaves 64 bits.
inline constexpr std::int64_t kMaxRangeNs = 1'576'800'000'000'000'000;
/// Of a time: the year 2115.
inline constexpr std::int64_t kMaxTimeNs = 4'600'000'000'000'000'000;
inline constexpr std::int64_t kPatternMemoryBytes = 1 << 20;

using PatternPtr = std::shared_ptr<const re2::RE2>;

enum class MatchOp { equal, not_equal, matches, not_matches };

/// `name op "value"`, in a stream selector, as a label filter, or in `drop` and `keep`.
struct LabelMatcher {
  std::string name;
  MatchOp op = MatchOp::equal;
  std::string value;
  PatternPtr pattern;  // for the two that match; fully anchored

  /// A label that is not there counts as empty.
  bool matches(std::string_view text) const;
};

/// `|= "a" or "b"`: one of them is in the line. `!=` and `!~`: none of them is.
struct LineFilter {
  MatchOp op = MatchOp::equal;
  std::vector<std::string> texts;
  std::vector<PatternPtr> patterns;  // as many, where op is one that matches; not anchored

  bool passes(std::string_view line) const;
};

/// `| a="x" and (b=~"y" or c!="z")`
struct LabelFilter {
  enum class Kind { matcher, both, either };
  Kind kind = Kind::matcher;
  LabelMatcher matcher;
  std::shared_ptr<const LabelFilter> left;
  std::shared_ptr<const LabelFilter> right;
};

/// `| drop a, b="x"` or `| keep ...`: labels, some of them only where they have a value.
struct LabelChoice {
  struct Item {
    std::string name;
    std::optional<LabelMatcher> condition;
  };
  bool keep = false;
  std::vector<Item> items;
};

using Stage = std::variant<LineFilter, LabelFilter, LabelChoice>;

/// `{selector} | stages`
struct LogQuery {
  std::vector<LabelMatcher> selector;
  std::vector<Stage> stages;
};

enum class RangeOp { count_over_time, rate, bytes_over_time, bytes_rate };

/// `count_over_time({...}[5m] offset 1h)`
struct RangeAggregation {
  RangeOp op = RangeOp::count_over_time;
  LogQuery query;
  std::int64_t range_ns = 0;   // above 0
  std::int64_t offset_ns = 0;  // may be negative
};

/// `by (a, b)` or `without (a)`
struct Grouping {
  bool without = false;
  std::vector<std::string> labels;
};

enum class VectorOp { sum, count, min, max, avg, topk, bottomk };

struct Expr;
using ExprPtr = std::shared_ptr<const Expr>;

/// Without a grouping, everything is one group (for topk too).
struct VectorAggregation {
  VectorOp op = VectorOp::sum;
  std::optional<Grouping> grouping;
  std::uint64_t k = 0;  // of topk and bottomk
  ExprPtr of;
};

enum class BinaryOp { add, sub, mul, div, mod, pow, eq, ne, gt, ge, lt, le, both, either, unless };

struct BinaryExpr {
  BinaryOp op = BinaryOp::add;
  bool as_bool = false;  // comparisons: 0 or 1 instead of a filter
  ExprPtr left;
  ExprPtr right;
};

/// `2`
struct NumberExpr {
  double value = 0;
};

/// `vector(2)`: one sample without labels.
struct VectorExpr {
  double value = 0;
};

struct Expr {
  std::variant<NumberExpr, VectorExpr, RangeAggregation, VectorAggregation, BinaryExpr> node;
};

/// A log query, or a metric query.
using Query = std::variant<LogQuery, ExprPtr>;

/// Errors (invalid): "parse error at line 1, col 5: ...", or "parse error : ..." where no place can be named.
shm::Result<Query> parse(std::string_view text);
/// A log query and nothing else. Errors: as parse().
shm::Result<LogQuery> parse_log_query(std::string_view text);
/// A stream selector and nothing else; `{}` and matchers that fit anything are allowed. Errors: as parse().
shm::Result<std::vector<LabelMatcher>> parse_selector(std::string_view text);

/// The query in one spelling; parse() makes the same of it.
std::string to_text(const std::vector<LabelMatcher>& selector);
std::string to_text(const LogQuery& query);
std::string to_text(const Expr& expr);
std::string to_text(const Query& query);
std::string to_text(const Grouping& grouping);
std::string_view name_of(RangeOp op);
std::string_view name_of(VectorOp op);
std::string_view name_of(BinaryOp op);
std::string_view name_of(MatchOp op);

/// A matcher of that kind. Errors (invalid): no regular expression.
shm::Result<LabelMatcher> make_matcher(std::string name, MatchOp op, std::string value);

}  // namespace mayfly::logql
