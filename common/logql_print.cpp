// Queries as text again.
#include <charconv>

#include "common/logql.h"
#include "common/logql_lexer.h"

namespace mayfly::logql {
namespace {

std::string matcher_text(const LabelMatcher& matcher) {
  return matcher.name + std::string(name_of(matcher.op)) + quote(matcher.value);
}

std::string filter_text(const LabelFilter& filter) {
  if (filter.kind == LabelFilter::Kind::matcher) return matcher_text(filter.matcher);
  const char* word = filter.kind == LabelFilter::Kind::both ? " and " : " or ";
  return "(" + filter_text(*filter.left) + word + filter_text(*filter.right) + ")";
}

std::string stage_text(const LineFilter& filter) {
  std::string out;
  switch (filter.op) {
    case MatchOp::equal:
      out = "|=";
      break;
    case MatchOp::matches:
      out = "|~";
      break;
    default:
      out = name_of(filter.op);
  }
  for (std::size_t i = 0; i < filter.texts.size(); ++i) {
    out += i == 0 ? " " : " or ";
    out += quote(filter.texts[i]);
  }
  return out;
}

std::string stage_text(const LabelFilter& filter) { return "| " + filter_text(filter); }

std::string stage_text(const LabelChoice& choice) {
  std::string out = choice.keep ? "| keep " : "| drop ";
  for (std::size_t i = 0; i < choice.items.size(); ++i) {
    if (i > 0) out += ", ";
    out += choice.items[i].condition ? matcher_text(*choice.items[i].condition) : choice.items[i].name;
  }
  return out;
}

std::string number_text(double value) {
  char buffer[64];
  const auto written = std::to_chars(buffer, buffer + sizeof(buffer), value);
  return {buffer, written.ptr};
}

std::string node_text(const NumberExpr& number) { return number_text(number.value); }
std::string node_text(const VectorExpr& vector) { return "vector(" + number_text(vector.value) + ")"; }

std::string node_text(const RangeAggregation& range) {
  std::string out = std::string(name_of(range.op)) + "(" + to_text(range.query) + " [" +
                    format_duration(range.range_ns) + "]";
  if (range.offset_ns != 0) out += " offset " + format_duration(range.offset_ns);
  return out + ")";
}

std::string node_text(const VectorAggregation& aggregation) {
  std::string out(name_of(aggregation.op));
  if (aggregation.grouping) out += " " + to_text(*aggregation.grouping) + " ";
  out += "(";
  if (aggregation.k > 0) out += std::to_string(aggregation.k) + ", ";
  return out + to_text(*aggregation.of) + ")";
}

std::string node_text(const BinaryExpr& binary) {
  return "(" + to_text(*binary.left) + " " + std::string(name_of(binary.op)) +
         (binary.as_bool ? " bool " : " ") + to_text(*binary.right) + ")";
}

}  // namespace

std::string_view name_of(RangeOp op) {
  constexpr std::string_view kNames[] = {"count_over_time", "rate", "bytes_over_time", "bytes_rate"};
  return kNames[static_cast<std::size_t>(op)];
}

std::string_view name_of(VectorOp op) {
  constexpr std::string_view kNames[] = {"sum", "count", "min", "max", "avg", "topk", "bottomk"};
  return kNames[static_cast<std::size_t>(op)];
}

std::string_view name_of(BinaryOp op) {
  constexpr std::string_view kNames[] = {
      "+", "-", "*", "/", "%", "^", "==", "!=", ">", ">=", "<", "<=", "and", "or", "unless"};
  return kNames[static_cast<std::size_t>(op)];
}

std::string_view name_of(MatchOp op) {
  constexpr std::string_view kNames[] = {"=", "!=", "=~", "!~"};
  return kNames[static_cast<std::size_t>(op)];
}

std::string to_text(const std::vector<LabelMatcher>& selector) {
  std::string out = "{";
  for (std::size_t i = 0; i < selector.size(); ++i) {
    if (i > 0) out += ", ";
    out += matcher_text(selector[i]);
  }
  return out + "}";
}

std::string to_text(const LogQuery& query) {
  std::string out = to_text(query.selector);
  for (const auto& stage : query.stages) {
    out += " " + std::visit([](const auto& kind) { return stage_text(kind); }, stage);
  }
  return out;
}

std::string to_text(const Expr& expr) {
  return std::visit([](const auto& node) { return node_text(node); }, expr.node);
}

std::string to_text(const Query& query) {
  if (const auto* log = std::get_if<LogQuery>(&query)) return to_text(*log);
  return to_text(*std::get<ExprPtr>(query));
}

std::string to_text(const Grouping& grouping) {
  std::string out = grouping.without ? "without (" : "by (";
  for (std::size_t i = 0; i < grouping.labels.size(); ++i) {
    if (i > 0) out += ", ";
    out += grouping.labels[i];
  }
  return out + ")";
}

}  // namespace mayfly::logql
