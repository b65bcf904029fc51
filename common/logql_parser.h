// A descent over LogQL's words. Internal to parse().
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/logql.h"
#include "common/logql_lexer.h"

namespace mayfly::logql {

/// Each parse_...() takes what it names from the words; errors as parse().
class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  shm::Result<Query> parse_query();
  shm::Result<LogQuery> parse_log();
  shm::Result<std::vector<LabelMatcher>> parse_selector();
  /// Errors: something follows.
  shm::Status at_end() const;

 private:
  // logql_parser.cpp: words, selectors, stages
  const Token& now() const { return tokens_[at_]; }
  const Token& next() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  Token take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool is(std::string_view symbol) const;
  bool is_word(std::string_view word) const;
  bool take_if(std::string_view symbol);
  bool take_word_if(std::string_view word);
  shm::Error fail(const std::string& text) const;
  shm::Error unexpected(const std::string& expected) const;
  shm::Status expect(std::string_view symbol);
  shm::Result<std::string> expect_name(const std::string& what);
  shm::Result<std::string> expect_string();
  shm::Status count_pattern(MatchOp op);

  std::optional<MatchOp> match_op_here() const;
  shm::Result<LabelMatcher> parse_matcher();
  shm::Result<std::vector<Stage>> parse_stages();
  shm::Result<Stage> parse_line_filter();
  shm::Result<Stage> parse_pipe_stage();
  shm::Result<LabelFilter> parse_label_filter(std::size_t depth);
  shm::Result<LabelFilter> parse_label_both(std::size_t depth);
  shm::Result<LabelFilter> parse_label_atom(std::size_t depth);
  shm::Result<LabelChoice> parse_label_choice(bool keep);

  // logql_parser_metric.cpp: expressions
  shm::Result<Query> parse_operand(std::size_t depth);
  shm::Result<Query> parse_binary(int lowest, std::size_t depth);
  shm::Result<Query> parse_parentheses(std::size_t depth);
  shm::Result<ExprPtr> parse_call(std::size_t depth);
  shm::Result<ExprPtr> parse_range_aggregation(RangeOp op);
  shm::Status parse_log_range(RangeAggregation& into, std::size_t depth);
  shm::Result<bool> take_range(RangeAggregation& into);
  shm::Result<ExprPtr> parse_vector_aggregation(VectorOp op, std::size_t depth);
  shm::Result<std::optional<Grouping>> parse_grouping();
  shm::Result<ExprPtr> parse_vector_literal();
  shm::Result<double> parse_signed_number();

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t patterns_ = 0;
  std::size_t leaves_ = 0;
};

}  // namespace mayfly::logql
