// The metric half of the parser: aggregations, operators, numbers.
#include <algorithm>
#include <array>
#include <cmath>

#include "common/logql_parser.h"

namespace mayfly::logql {
namespace {

struct Operator {
  BinaryOp op;
  int precedence;
  bool right_to_left = false;
};

constexpr Operator kOperators[] = {
    {BinaryOp::either, 1}, {BinaryOp::both, 2}, {BinaryOp::unless, 2},    {BinaryOp::eq, 3},
    {BinaryOp::ne, 3},     {BinaryOp::gt, 3},   {BinaryOp::ge, 3},        {BinaryOp::lt, 3},
    {BinaryOp::le, 3},     {BinaryOp::add, 4},  {BinaryOp::sub, 4},       {BinaryOp::mul, 5},
    {BinaryOp::div, 5},    {BinaryOp::mod, 5},  {BinaryOp::pow, 6, true},
};

constexpr RangeOp kRangeOps[] = {RangeOp::count_over_time, RangeOp::rate, RangeOp::bytes_over_time,
                                 RangeOp::bytes_rate};
constexpr VectorOp kVectorOps[] = {VectorOp::sum, VectorOp::count, VectorOp::min,    VectorOp::max,
                                   VectorOp::avg, VectorOp::topk,  VectorOp::bottomk};

/// Functions of Loki that are not spoken here, so that the error can say so.
constexpr std::array<std::string_view, 18> kOtherFunctions = {
    "rate_counter",     "avg_over_time",      "sum_over_time",   "min_over_time",  "max_over_time",
    "stdvar_over_time", "stddev_over_time",   "first_over_time", "last_over_time", "absent_over_time",
    "stddev",           "quantile_over_time", "stdvar",          "sort",           "sort_desc",
    "label_replace",    "approx_topk",        "variants"};

bool is_comparison(BinaryOp op) { return op >= BinaryOp::eq && op <= BinaryOp::le; }

template <typename Node>
ExprPtr make_expr(Node node) {
  return std::make_shared<const Expr>(Expr{std::move(node)});
}

}  // namespace

shm::Result<Query> Parser::parse_query() { return parse_binary(1, 0); }

shm::Result<Query> Parser::parse_binary(int lowest, std::size_t depth) {
  if (depth > kMaxDepth) return fail("nested too deeply");
  auto left = parse_operand(depth);
  if (!left.ok()) return left.error();
  Query all = std::move(left.value());
  for (std::size_t more = 0;; ++more) {
    const auto* found =
        std::find_if(std::begin(kOperators), std::end(kOperators), [this](const Operator& entry) {
          const std::string_view name = name_of(entry.op);
          return is(name) || is_word(name);
        });
    if (found == std::end(kOperators) || found->precedence < lowest) return all;
    if (more > kMaxDepth) return fail("too many operators in a row");
    const Token place = now();
    take();
    BinaryExpr binary{found->op, false, nullptr, nullptr};
    if (is_word("bool") && is_comparison(found->op)) {
      take();
      binary.as_bool = true;
    }
    for (const char* word : {"on", "ignoring", "group_left", "group_right"}) {
      if (is_word(word)) return fail(std::string(word) + " is not supported");
    }
    auto right = parse_binary(found->precedence + (found->right_to_left ? 0 : 1), depth + 1);
    if (!right.ok()) return right.error();
    if (!std::holds_alternative<ExprPtr>(all) || !std::holds_alternative<ExprPtr>(right.value())) {
      return parse_error_at(place.line, place.column,
                            "unexpected type for an operand of " + quote(place.text) + ": a log query");
    }
    binary.left = std::get<ExprPtr>(all);
    binary.right = std::get<ExprPtr>(right.value());
    all = make_expr(std::move(binary));
  }
}

shm::Result<Query> Parser::parse_operand(std::size_t depth) {
  if (is("{")) {
    auto query = parse_log();
    if (!query.ok()) return query.error();
    return Query(std::move(query.value()));
  }
  if (is("(")) return parse_parentheses(depth);
  if (now().kind == TokenKind::number || is("-") || is("+")) {
    const auto number = parse_signed_number();
    if (!number.ok()) return number.error();
    return Query(make_expr(NumberExpr{number.value()}));
  }
  if (now().kind != TokenKind::identifier) return unexpected("{ or ( or a function");
  auto call = parse_call(depth);
  if (!call.ok()) return call.error();
  return Query(std::move(call.value()));
}

shm::Result<Query> Parser::parse_parentheses(std::size_t depth) {
  take();
  auto inner = parse_binary(1, depth + 1);
  if (!inner.ok()) return inner.error();
  if (auto closed = expect(")"); !closed.ok()) return closed.error();
  if (std::holds_alternative<LogQuery>(inner.value())) {
    auto more = parse_stages();
    if (!more.ok()) return more.error();
    auto& stages = std::get<LogQuery>(inner.value()).stages;
    std::move(more.value().begin(), more.value().end(), std::back_inserter(stages));
  }
  return inner;
}

shm::Result<ExprPtr> Parser::parse_call(std::size_t depth) {
  for (const RangeOp op : kRangeOps) {
    if (is_word(name_of(op))) return parse_range_aggregation(op);
  }
  for (const VectorOp op : kVectorOps) {
    if (is_word(name_of(op))) return parse_vector_aggregation(op, depth);
  }
  if (is_word("vector")) return parse_vector_literal();
  if (std::find(kOtherFunctions.begin(), kOtherFunctions.end(), now().text) != kOtherFunctions.end()) {
    return fail("the function " + now().text + " is not supported");
  }
  return fail("syntax error: unexpected IDENTIFIER " + quote(now().text));
}

shm::Result<ExprPtr> Parser::parse_range_aggregation(RangeOp op) {
  if (++leaves_ > kMaxLeaves) return fail("more than " + std::to_string(kMaxLeaves) + " range aggregations");
  take();
  RangeAggregation range;
  range.op = op;
  if (auto open = expect("("); !open.ok()) return open.error();
  if (auto read = parse_log_range(range, 0); !read.ok()) return read.error();
  if (auto closed = expect(")"); !closed.ok()) return closed.error();
  if (is_word("by") || is_word("without")) {
    return fail("grouping not allowed for " + std::string(name_of(op)) + " aggregation");
  }
  return make_expr(std::move(range));
}

/// `{...} | stages [5m] offset 1h`, the range before or after the stages, parentheses around the query.
shm::Status Parser::parse_log_range(RangeAggregation& into, std::size_t depth) {
  if (depth > kMaxDepth) return fail("nested too deeply");
  if (take_if("(")) {
    if (auto inner = parse_log_range(into, depth + 1); !inner.ok()) return inner;
    if (auto closed = expect(")"); !closed.ok()) return closed;
  } else {
    auto selector = parse_selector();
    if (!selector.ok()) return selector.error();
    into.query.selector = std::move(selector.value());
  }
  auto before = take_range(into);
  if (!before.ok()) return before.error();
  auto stages = parse_stages();
  if (!stages.ok()) return stages.error();
  std::move(stages.value().begin(), stages.value().end(), std::back_inserter(into.query.stages));
  auto after = take_range(into);
  if (!after.ok()) return after.error();
  if (depth == 0 && into.range_ns == 0) return unexpected("RANGE");
  return {};
}

/// False: there is none here. Errors: a second one.
shm::Result<bool> Parser::take_range(RangeAggregation& into) {
  if (now().kind != TokenKind::range) return false;
  if (into.range_ns != 0) return fail("syntax error: unexpected RANGE");
  if (now().duration_ns > kMaxRangeNs) return fail("a range of more than 50 years");
  into.range_ns = take().duration_ns;
  if (!take_word_if("offset")) return true;
  const bool negative = take_if("-");
  if (now().kind != TokenKind::duration) return unexpected("DURATION");
  if (now().duration_ns > kMaxRangeNs) return fail("an offset of more than 50 years");
  into.offset_ns = take().duration_ns * (negative ? -1 : 1);
  return true;
}

shm::Result<ExprPtr> Parser::parse_vector_aggregation(VectorOp op, std::size_t depth) {
  take();
  VectorAggregation aggregation;
  aggregation.op = op;
  auto grouping = parse_grouping();
  if (!grouping.ok()) return grouping.error();
  aggregation.grouping = std::move(grouping.value());
  if (auto open = expect("("); !open.ok()) return open.error();
  if (op == VectorOp::topk || op == VectorOp::bottomk) {
    if (now().kind != TokenKind::number) return unexpected("NUMBER");
    const double k = now().number;
    if (k < 1 || k > 1e9 || k != std::floor(k))
      return fail("invalid parameter " + quote(now().text) + " for " + std::string(name_of(op)));
    aggregation.k = static_cast<std::uint64_t>(k);
    take();
    if (auto comma = expect(","); !comma.ok()) return comma.error();
  }
  const Token place = now();
  auto inner = parse_binary(1, depth + 1);
  if (!inner.ok()) return inner.error();
  if (!std::holds_alternative<ExprPtr>(inner.value())) {
    return parse_error_at(place.line, place.column, "unexpected log query, expecting a range aggregation");
  }
  aggregation.of = std::get<ExprPtr>(inner.value());
  if (auto closed = expect(")"); !closed.ok()) return closed.error();
  if (!aggregation.grouping) {
    auto later = parse_grouping();
    if (!later.ok()) return later.error();
    aggregation.grouping = std::move(later.value());
  }
  return make_expr(std::move(aggregation));
}

shm::Result<std::optional<Grouping>> Parser::parse_grouping() {
  if (!is_word("by") && !is_word("without")) return std::optional<Grouping>();
  Grouping grouping;
  grouping.without = take().text == "without";
  if (auto open = expect("("); !open.ok()) return open.error();
  while (!is(")")) {
    auto name = expect_name("IDENTIFIER or )");
    if (!name.ok()) return name.error();
    grouping.labels.push_back(std::move(name.value()));
    if (!is(")") && !take_if(",")) return unexpected(") or ,");
  }
  take();
  return std::optional<Grouping>(std::move(grouping));
}

shm::Result<ExprPtr> Parser::parse_vector_literal() {
  take();
  if (auto open = expect("("); !open.ok()) return open.error();
  const auto number = parse_signed_number();
  if (!number.ok()) return number.error();
  if (auto closed = expect(")"); !closed.ok()) return closed.error();
  return make_expr(VectorExpr{number.value()});
}

shm::Result<double> Parser::parse_signed_number() {
  const bool negative = is("-");
  if (negative || is("+")) take();
  if (now().kind != TokenKind::number) return unexpected("NUMBER");
  const double number = take().number;
  return negative ? -number : number;
}

}  // namespace mayfly::logql
