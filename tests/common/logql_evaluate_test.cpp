// Metric queries against a model that does everything the long way.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "common/logql_series.h"

namespace mayfly::logql {
namespace {

struct Entry {
  std::int64_t time_ns = 0;
  Labels labels;
  std::string line;
};

/// A range aggregation by its definition: every window over every entry.
Matrix naive_leaf(const std::vector<Entry>& entries, const RangeAggregation& range, const Grid& grid) {
  std::map<Labels, Series> series;
  for (std::size_t point = 0; point < grid.points; ++point) {
    const std::int64_t end = grid.at(point) - range.offset_ns;
    for (const auto& entry : entries) {
      if (entry.time_ns <= end - range.range_ns || entry.time_ns > end) continue;
      if (!selects(range.query.selector, entry.labels) || !line_passes(range.query.stages, entry.line))
        continue;
      const auto labels = label_stages(range.query.stages, entry.labels);
      if (!labels) continue;
      auto& made = series.try_emplace(*labels, Series{*labels, {}}).first->second;
      made.values.resize(grid.points);
      const bool of_bytes = range.op == RangeOp::bytes_over_time || range.op == RangeOp::bytes_rate;
      made.values[point] =
          made.values[point].value_or(0) + (of_bytes ? static_cast<double>(entry.line.size()) : 1);
    }
  }
  Matrix matrix;
  for (auto& [labels, made] : series) {
    if (range.op == RangeOp::rate || range.op == RangeOp::bytes_rate) {
      for (auto& value : made.values) {
        if (value) *value /= static_cast<double>(range.range_ns) / 1e9;
      }
    }
    matrix.push_back(std::move(made));
  }
  return matrix;
}

Matrix counted_leaf(const std::vector<Entry>& entries, const RangeAggregation& range, const Grouping* summed,
                    const Grid& grid) {
  WindowCounter counter(grid, range);
  for (const auto& entry : entries) {
    if (entry.time_ns < counter.first_ns() || entry.time_ns >= counter.end_ns()) continue;
    if (!selects(range.query.selector, entry.labels) || !line_passes(range.query.stages, entry.line))
      continue;
    const auto labels = label_stages(range.query.stages, entry.labels);
    if (!labels) continue;
    const auto series = counter.series(summed != nullptr ? group_labels(*labels, *summed) : *labels);
    counter.count(series.value(), entry.time_ns, entry.line.size());
  }
  return counter.finish();
}

void expect_same(const Value& left, const Value& right, const std::string& what) {
  ASSERT_EQ(left.index(), right.index()) << what;
  if (const auto* number = std::get_if<double>(&left)) {
    EXPECT_EQ(*number, std::get<double>(right)) << what;
    return;
  }
  std::map<Labels, std::vector<std::optional<double>>> a, b;
  for (const auto& series : std::get<Matrix>(left)) a[series.labels] = series.values;
  for (const auto& series : std::get<Matrix>(right)) b[series.labels] = series.values;
  ASSERT_EQ(a.size(), b.size()) << what;
  for (const auto& [labels, values] : a) {
    ASSERT_EQ(b.count(labels), 1u) << what;
    for (std::size_t point = 0; point < values.size(); ++point) {
      ASSERT_EQ(values[point].has_value(), b[labels][point].has_value()) << what << " at " << point;
      if (!values[point] || (std::isnan(*values[point]) && std::isnan(*b[labels][point]))) continue;
      ASSERT_NEAR(*values[point], *b[labels][point], 1e-9) << what << " at " << point;
    }
  }
}

ExprPtr expr_of(const std::string& text) {
  auto query = parse(text);
  EXPECT_TRUE(query.ok()) << (query.ok() ? "" : query.error().text);
  return std::get<ExprPtr>(query.value());
}

TEST(LogqlEvaluateTest, AgreesWithTheDefinition) {
  const std::vector<std::string> queries = {
      R"(count_over_time({kind="log"}[7s]))",
      R"(rate({kind="log"} |= "a" [3s] offset 2s))",
      R"(bytes_over_time({directory=~"d[01]"}[10s] offset -3s))",
      R"(sum(bytes_rate({kind="log"} | drop key [5s])))",
      R"(sum by (key) (count_over_time({kind="log"} | detected_level!="info" [4s])))",
      R"(sum without (key, kind) (rate({kind="log"}[4s])))",
      R"(avg by (directory) (count_over_time({kind="log"}[9s])))",
      R"(min(count_over_time({kind="log"}[9s])) + max(count_over_time({kind="log"}[9s])))",
      R"(count without (directory) (count_over_time({kind="log"}[2s])))",
      R"(topk(2, sum by (key) (count_over_time({kind="log"}[5s]))))",
      R"(bottomk by (directory) (1, count_over_time({kind="log"}[5s])))",
      R"(sum by (key) (count_over_time({kind="log"}[5s])) > 2 or vector(0))",
      R"(count_over_time({kind="log"}[5s]) unless count_over_time({kind="log"} |= "b" [5s]))",
      R"(2 * count_over_time({kind="log"}[5s]) and count_over_time({kind="log"} |= "b" [5s]) >= bool 2)",
      R"(sum(count_over_time({kind="log"}[5s])) / sum(bytes_over_time({kind="log"}[5s])) % 3 ^ 2)",
  };
  std::mt19937 random(7);
  const auto pick = [&](std::int64_t below) {
    return static_cast<std::int64_t>(random() % static_cast<unsigned>(below));
  };
  for (int round = 0; round < 60; ++round) {
    std::vector<Entry> entries;
    for (std::int64_t i = pick(40); i > 0; --i) {
      Entry entry;
      entry.time_ns = 1'000'000'000'000 + pick(60) * 500'000'000;
      entry.labels = {{"kind", "log"},
                      {"directory", "d" + std::to_string(pick(3))},
                      {"key", "k" + std::to_string(pick(3))},
                      {"detected_level", pick(2) == 0 ? "info" : "error"}};
      entry.line = std::string(static_cast<std::size_t>(pick(4)), 'a') +
                   std::string(static_cast<std::size_t>(pick(2)), 'b');
      entries.push_back(std::move(entry));
    }
    const Grid grid{1'000'000'000'000 + pick(20) * 250'000'000, 250'000'000 * (1 + pick(12)),
                    static_cast<std::size_t>(1 + pick(30))};
    for (const auto& text : queries) {
      const ExprPtr expr = expr_of(text);
      const auto expected = evaluate(*expr, grid, [&](const RangeAggregation& range, const Grouping*) {
        return shm::Result<Matrix>(naive_leaf(entries, range, grid));
      });
      const auto result = evaluate(*expr, grid, [&](const RangeAggregation& range, const Grouping* summed) {
        return shm::Result<Matrix>(counted_leaf(entries, range, summed, grid));
      });
      ASSERT_TRUE(expected.ok() && result.ok());
      expect_same(expected.value(), result.value(), text + " round " + std::to_string(round));
      if (HasFatalFailure()) return;
    }
  }
}

TEST(LogqlEvaluateTest, Numbers) {
  const Grid grid{0, 1, 2};
  const LeafSource none = [](const RangeAggregation&, const Grouping*) {
    return shm::Result<Matrix>(Matrix{});
  };
  const std::vector<std::pair<std::string, double>> table = {
      {"1+1", 2}, {"2*3+4", 10}, {"2+3*4", 14},      {"2^3^2", 512},
      {"7%4", 3}, {"1 > 2", 0},  {"2 >= bool 2", 1}, {"-3 + 1", -2},
  };
  for (const auto& [text, expected] : table) {
    EXPECT_EQ(std::get<double>(evaluate(*expr_of(text), grid, none).value()), expected) << text;
  }
  const auto sum = evaluate(*expr_of("vector(1)+vector(1)"), grid, none);
  const Matrix& matrix = std::get<Matrix>(sum.value());
  ASSERT_EQ(matrix.size(), 1u);
  EXPECT_TRUE(matrix[0].labels.empty());
  EXPECT_EQ(matrix[0].values, (std::vector<std::optional<double>>{2, 2}));
  EXPECT_FALSE(evaluate(*expr_of("1 or vector(1)"), grid, none).ok());
  EXPECT_FALSE(evaluate(*expr_of("sum(1)"), grid, none).ok());
}

TEST(LogqlEvaluateTest, WhatIsNoNumberComesLast) {
  Matrix leaf;
  for (int i = 0; i < 40; ++i) {
    const double value = i % 3 == 0 ? std::nan("") : i;
    leaf.push_back({{{"n", std::to_string(i)}}, {value}});
  }
  for (const char* text : {R"(topk(5, rate({kind="log"}[1s])))", R"(bottomk(5, rate({kind="log"}[1s])))"}) {
    const auto result = evaluate(*expr_of(text), Grid(), [&](const RangeAggregation&, const Grouping*) {
      return shm::Result<Matrix>(leaf);
    });
    const Matrix& chosen = std::get<Matrix>(result.value());
    EXPECT_EQ(chosen.size(), 5u);
    for (const auto& series : chosen) EXPECT_FALSE(std::isnan(*series.values[0]));
  }
}

TEST(LogqlEvaluateTest, GridsAreBounded) {
  EXPECT_EQ(make_grid(10, 10, 5).value().points, 1u);
  EXPECT_EQ(make_grid(10, 19, 5).value().points, 2u);
  EXPECT_EQ(make_grid(10, 20, 5).value().points, 3u);
  EXPECT_EQ(make_grid(0, 10'999, 1).value().points, 11'000u);
  EXPECT_FALSE(make_grid(0, 11'000, 1).ok());
  EXPECT_FALSE(make_grid(0, kMaxTimeNs, 1).ok());
  WindowCounter counter(Grid{0, 1, kMaxPoints}, RangeAggregation{RangeOp::rate, {}, 5, 0});
  std::size_t taken = 0;
  while (counter.series({{"n", std::to_string(taken)}})) ++taken;
  EXPECT_EQ(taken, kMaxCells / kMaxPoints);
  EXPECT_TRUE(counter.series({{"n", "0"}}));
}

TEST(LogqlEvaluateTest, LeafErrorsAreHandedOn) {
  const auto result = evaluate(*expr_of(R"(1 + sum(rate({kind="log"}[1s])))"), Grid(),
                               [](const RangeAggregation&, const Grouping*) {
                                 return shm::Result<Matrix>(shm::Error{shm::Errc::busy, "too much"});
                               });
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().text, "too much");
}

}  // namespace
}  // namespace mayfly::logql
