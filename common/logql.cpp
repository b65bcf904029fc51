#include "common/logql.h"

#include <algorithm>

#include "common/logql_parser.h"

namespace mayfly::logql {
namespace {

constexpr std::string_view kNeedsMatcher =
    "parse error : queries require at least one regexp or equality matcher that does not have an "
    "empty-compatible value. For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will";

bool narrows(const std::vector<LabelMatcher>& selector) {
  return std::any_of(selector.begin(), selector.end(), [](const LabelMatcher& matcher) {
    const bool positive = matcher.op == MatchOp::equal || matcher.op == MatchOp::matches;
    return positive && !matcher.matches("");
  });
}

/// Every selector has to name something: `{}` would be everything.
shm::Status check_selectors(const Expr& expr) {
  if (const auto* range = std::get_if<RangeAggregation>(&expr.node)) {
    if (!narrows(range->query.selector)) return shm::Error{shm::Errc::invalid, std::string(kNeedsMatcher)};
  } else if (const auto* aggregation = std::get_if<VectorAggregation>(&expr.node)) {
    return check_selectors(*aggregation->of);
  } else if (const auto* binary = std::get_if<BinaryExpr>(&expr.node)) {
    if (auto left = check_selectors(*binary->left); !left.ok()) return left;
    return check_selectors(*binary->right);
  }
  return {};
}

shm::Status check_selectors(const LogQuery& query) {
  if (!narrows(query.selector)) return shm::Error{shm::Errc::invalid, std::string(kNeedsMatcher)};
  return {};
}

shm::Result<Parser> begin_parsing(std::string_view text) {
  if (text.size() > kMaxQueryBytes) {
    return shm::Error{shm::Errc::invalid, "parse error : input size too long (" +
                                              std::to_string(text.size()) + " > " +
                                              std::to_string(kMaxQueryBytes) + ")"};
  }
  auto tokens = tokenize(text);
  if (!tokens.ok()) return tokens.error();
  return Parser(std::move(tokens.value()));
}

}  // namespace

bool LabelMatcher::matches(std::string_view text) const {
  switch (op) {
    case MatchOp::equal:
      return text == value;
    case MatchOp::not_equal:
      return text != value;
    case MatchOp::matches:
      return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *pattern);
    case MatchOp::not_matches:
      return !re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *pattern);
  }
  return false;
}

bool LineFilter::passes(std::string_view line) const {
  const bool wanted = op == MatchOp::equal || op == MatchOp::matches;
  const re2::StringPiece piece(line.data(), line.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const bool found = patterns.empty() ? line.find(texts[i]) != std::string_view::npos
                                        : re2::RE2::PartialMatch(piece, *patterns[i]);
    if (found) return wanted;
  }
  return !wanted;
}

shm::Result<LabelMatcher> make_matcher(std::string name, MatchOp op, std::string value) {
  LabelMatcher matcher{std::move(name), op, std::move(value), nullptr};
  if (op == MatchOp::equal || op == MatchOp::not_equal) return matcher;
  re2::RE2::Options options;
  options.set_max_mem(kPatternMemoryBytes);
  options.set_log_errors(false);
  options.set_dot_nl(true);
  auto pattern = std::make_shared<const re2::RE2>(matcher.value, options);
  if (!pattern->ok()) {
    return shm::Error{shm::Errc::invalid, "error parsing regexp: " + pattern->error()};
  }
  matcher.pattern = std::move(pattern);
  return matcher;
}

shm::Result<Query> parse(std::string_view text) {
  auto parser = begin_parsing(text);
  if (!parser.ok()) return parser.error();
  auto query = parser.value().parse_query();
  if (!query.ok()) return query.error();
  if (auto end = parser.value().at_end(); !end.ok()) return end.error();
  const auto checked = std::holds_alternative<LogQuery>(query.value())
                           ? check_selectors(std::get<LogQuery>(query.value()))
                           : check_selectors(*std::get<ExprPtr>(query.value()));
  if (!checked.ok()) return checked.error();
  return query;
}

shm::Result<LogQuery> parse_log_query(std::string_view text) {
  auto query = parse(text);
  if (!query.ok()) return query.error();
  if (auto* log = std::get_if<LogQuery>(&query.value())) return std::move(*log);
  return shm::Error{shm::Errc::invalid, "only log selector is supported"};
}

shm::Result<std::vector<LabelMatcher>> parse_selector(std::string_view text) {
  auto parser = begin_parsing(text);
  if (!parser.ok()) return parser.error();
  auto selector = parser.value().parse_selector();
  if (!selector.ok()) return selector.error();
  if (parser.value().at_end().ok()) return selector;
  return shm::Error{shm::Errc::invalid, "only label matchers are supported"};
}

}  // namespace mayfly::logql
