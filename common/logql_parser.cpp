#include "common/logql_parser.h"

#include <algorithm>
#include <array>

namespace mayfly::logql {
namespace {

/// Stages of Loki that are not spoken here, so that the error can say so.
constexpr std::array<std::string_view, 10> kOtherStages = {
    "json",   "logfmt",      "regexp",       "pattern",    "unpack",
    "unwrap", "line_format", "label_format", "decolorize", "label_replace"};

bool is_one_of(const Token& token, std::initializer_list<std::string_view> symbols) {
  return token.kind == TokenKind::symbol &&
         std::find(symbols.begin(), symbols.end(), token.text) != symbols.end();
}

bool matches_strings(const Token& token) { return is_one_of(token, {"=", "!=", "=~", "!~"}); }
bool compares(const Token& token) {
  return matches_strings(token) || is_one_of(token, {"==", ">", ">=", "<", "<="});
}

std::string shown(const Token& token) {
  switch (token.kind) {
    case TokenKind::end:
      return "$end";
    case TokenKind::string:
      return "STRING";
    case TokenKind::number:
      return "NUMBER";
    case TokenKind::duration:
      return "DURATION";
    case TokenKind::range:
      return "RANGE";
    case TokenKind::identifier:
      return "IDENTIFIER " + quote(token.text);
    case TokenKind::symbol:
      break;
  }
  return token.text;
}

}  // namespace

bool Parser::is(std::string_view symbol) const {
  return now().kind == TokenKind::symbol && now().text == symbol;
}

bool Parser::is_word(std::string_view word) const {
  return now().kind == TokenKind::identifier && now().text == word;
}

bool Parser::take_if(std::string_view symbol) {
  if (!is(symbol)) return false;
  take();
  return true;
}

bool Parser::take_word_if(std::string_view word) {
  if (!is_word(word)) return false;
  take();
  return true;
}

shm::Error Parser::fail(const std::string& text) const {
  return parse_error_at(now().line, now().column, text);
}

shm::Error Parser::unexpected(const std::string& expected) const {
  return fail("syntax error: unexpected " + shown(now()) + ", expecting " + expected);
}

shm::Status Parser::expect(std::string_view symbol) {
  if (!take_if(symbol)) return unexpected(std::string(symbol));
  return {};
}

shm::Result<std::string> Parser::expect_name(const std::string& what) {
  if (now().kind != TokenKind::identifier) return unexpected(what);
  return take().text;
}

shm::Result<std::string> Parser::expect_string() {
  if (now().kind != TokenKind::string) return unexpected("STRING");
  return take().text;
}

shm::Status Parser::count_pattern(MatchOp op) {
  if (op != MatchOp::matches && op != MatchOp::not_matches) return {};
  if (++patterns_ > kMaxPatterns)
    return fail("more than " + std::to_string(kMaxPatterns) + " regular expressions");
  return {};
}

shm::Status Parser::at_end() const {
  if (now().kind != TokenKind::end) return fail("syntax error: unexpected " + shown(now()));
  return {};
}

std::optional<MatchOp> Parser::match_op_here() const {
  for (const MatchOp op : {MatchOp::equal, MatchOp::not_equal, MatchOp::matches, MatchOp::not_matches}) {
    if (is(name_of(op))) return op;
  }
  return std::nullopt;
}

shm::Result<LabelMatcher> Parser::parse_matcher() {
  auto name = expect_name("IDENTIFIER");
  if (!name.ok()) return name.error();
  const auto op = match_op_here();
  if (!op) return unexpected("= or =~ or != or !~");
  take();
  if (auto counted = count_pattern(*op); !counted.ok()) return counted.error();
  const Token place = now();
  auto value = expect_string();
  if (!value.ok()) return value.error();
  auto matcher = make_matcher(std::move(name.value()), *op, std::move(value.value()));
  if (!matcher.ok()) return parse_error_at(place.line, place.column, matcher.error().text);
  return matcher;
}

shm::Result<std::vector<LabelMatcher>> Parser::parse_selector() {
  std::vector<LabelMatcher> selector;
  if (auto open = expect("{"); !open.ok()) return open.error();
  while (!is("}")) {
    auto matcher = parse_matcher();
    if (!matcher.ok()) return matcher.error();
    selector.push_back(std::move(matcher.value()));
    if (!is("}") && !take_if(",")) return unexpected("} or ,");
  }
  take();
  return selector;
}

shm::Result<LogQuery> Parser::parse_log() {
  LogQuery query;
  auto selector = parse_selector();
  if (!selector.ok()) return selector.error();
  query.selector = std::move(selector.value());
  auto stages = parse_stages();
  if (!stages.ok()) return stages.error();
  query.stages = std::move(stages.value());
  return query;
}

shm::Result<std::vector<Stage>> Parser::parse_stages() {
  std::vector<Stage> stages;
  while (now().kind == TokenKind::symbol) {
    const bool line_filter = is("|=") || is("|~") || is("!=") || is("!~") || is("|>") || is("!>");
    if (!line_filter && !is("|")) break;
    auto stage = line_filter ? parse_line_filter() : parse_pipe_stage();
    if (!stage.ok()) return stage.error();
    stages.push_back(std::move(stage.value()));
  }
  return stages;
}

shm::Result<Stage> Parser::parse_line_filter() {
  if (is("|>") || is("!>")) return fail("pattern line filters are not supported");
  LineFilter filter;
  filter.op = is("|=")   ? MatchOp::equal
              : is("!=") ? MatchOp::not_equal
              : is("|~") ? MatchOp::matches
                         : MatchOp::not_matches;
  take();
  do {
    if (is_word("ip")) return fail("ip() line filters are not supported");
    if (auto counted = count_pattern(filter.op); !counted.ok()) return counted.error();
    const Token place = now();
    auto text = expect_string();
    if (!text.ok()) return text.error();
    if (filter.op == MatchOp::matches || filter.op == MatchOp::not_matches) {
      re2::RE2::Options options;
      options.set_max_mem(kPatternMemoryBytes);
      options.set_log_errors(false);
      auto pattern = std::make_shared<const re2::RE2>(text.value(), options);
      if (!pattern->ok()) return parse_error_at(place.line, place.column, pattern->error());
      filter.patterns.push_back(std::move(pattern));
    }
    filter.texts.push_back(std::move(text.value()));
  } while (take_word_if("or"));
  return Stage(std::move(filter));
}

shm::Result<Stage> Parser::parse_pipe_stage() {
  take();  // the bar
  // A label may be called as a stage is.
  if (now().kind == TokenKind::identifier && !compares(next())) {
    if (is_word("drop") || is_word("keep")) {
      const bool keep = take().text == "keep";
      auto choice = parse_label_choice(keep);
      if (!choice.ok()) return choice.error();
      return Stage(std::move(choice.value()));
    }
    if (std::find(kOtherStages.begin(), kOtherStages.end(), now().text) != kOtherStages.end()) {
      return fail("the stage " + now().text + " is not supported");
    }
  }
  auto filter = parse_label_filter(0);
  if (!filter.ok()) return filter.error();
  return Stage(std::move(filter.value()));
}

shm::Result<LabelFilter> Parser::parse_label_filter(std::size_t depth) {
  if (depth > kMaxDepth) return fail("nested too deeply");
  auto left = parse_label_both(depth);
  if (!left.ok()) return left.error();
  LabelFilter filter = std::move(left.value());
  for (std::size_t more = 0; take_word_if("or"); ++more) {
    if (depth + more > kMaxDepth) return fail("too many label filters in a row");
    auto right = parse_label_both(depth);
    if (!right.ok()) return right.error();
    filter = LabelFilter{LabelFilter::Kind::either,
                         {},
                         std::make_shared<const LabelFilter>(std::move(filter)),
                         std::make_shared<const LabelFilter>(std::move(right.value()))};
  }
  return filter;
}

shm::Result<LabelFilter> Parser::parse_label_both(std::size_t depth) {
  auto left = parse_label_atom(depth);
  if (!left.ok()) return left.error();
  LabelFilter filter = std::move(left.value());
  for (std::size_t more = 0;; ++more) {
    // "and", a comma, or nothing at all between two of them mean the same.
    const bool joined = take_word_if("and") || take_if(",");
    if (!joined && (now().kind != TokenKind::identifier || is_word("or") || is_word("offset"))) return filter;
    if (depth + more > kMaxDepth) return fail("too many label filters in a row");
    auto right = parse_label_atom(depth);
    if (!right.ok()) return right.error();
    filter = LabelFilter{LabelFilter::Kind::both,
                         {},
                         std::make_shared<const LabelFilter>(std::move(filter)),
                         std::make_shared<const LabelFilter>(std::move(right.value()))};
  }
}

shm::Result<LabelFilter> Parser::parse_label_atom(std::size_t depth) {
  if (take_if("(")) {
    auto inner = parse_label_filter(depth + 1);
    if (!inner.ok()) return inner.error();
    if (auto closed = expect(")"); !closed.ok()) return closed.error();
    return inner;
  }
  if (now().kind == TokenKind::identifier && compares(next()) && !matches_strings(next())) {
    return fail("labels are compared with strings only (=, !=, =~, !~)");
  }
  auto matcher = parse_matcher();
  if (!matcher.ok()) return matcher.error();
  return LabelFilter{LabelFilter::Kind::matcher, std::move(matcher.value()), nullptr, nullptr};
}

shm::Result<LabelChoice> Parser::parse_label_choice(bool keep) {
  LabelChoice choice;
  choice.keep = keep;
  do {
    LabelChoice::Item item;
    if (matches_strings(next())) {
      auto matcher = parse_matcher();
      if (!matcher.ok()) return matcher.error();
      item.name = matcher.value().name;
      item.condition = std::move(matcher.value());
    } else {
      auto name = expect_name("IDENTIFIER");
      if (!name.ok()) return name.error();
      item.name = std::move(name.value());
    }
    choice.items.push_back(std::move(item));
  } while (take_if(","));
  return choice;
}

}  // namespace mayfly::logql
