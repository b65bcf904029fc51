#include <algorithm>
#include <cmath>
#include <limits>

#include "common/logql_series.h"

namespace mayfly::logql {
namespace {

struct Accumulated {
  double sum = 0;
  double least = std::numeric_limits<double>::infinity();
  double greatest = -std::numeric_limits<double>::infinity();
  std::size_t count = 0;

  void take(double value) {
    sum += value;
    least = std::min(least, value);
    greatest = std::max(greatest, value);
    ++count;
  }
  double result(VectorOp op) const {
    switch (op) {
      case VectorOp::count:
        return static_cast<double>(count);
      case VectorOp::min:
        return least;
      case VectorOp::max:
        return greatest;
      case VectorOp::avg:
        return sum / static_cast<double>(count);
      default:
        return sum;
    }
  }
};

using Members = std::map<Labels, std::vector<const Series*>>;

Members members_of(const Matrix& matrix, const Grouping& grouping) {
  Members members;
  for (const auto& series : matrix) members[group_labels(series.labels, grouping)].push_back(&series);
  return members;
}

Matrix aggregate(VectorOp op, const Members& members, const Grid& grid) {
  Matrix result;
  for (const auto& [labels, all] : members) {
    Series series{labels, std::vector<std::optional<double>>(grid.points)};
    for (std::size_t point = 0; point < grid.points; ++point) {
      Accumulated accumulated;
      for (const Series* one : all) {
        if (one->values[point]) accumulated.take(*one->values[point]);
      }
      if (accumulated.count > 0) series.values[point] = accumulated.result(op);
    }
    result.push_back(std::move(series));
  }
  return result;
}

bool has_samples(const Series& series) {
  return std::any_of(series.values.begin(), series.values.end(),
                     [](const auto& value) { return value.has_value(); });
}

/// The k series of one group with the largest (or smallest) samples, chosen anew at each point.
Matrix choose_from(const VectorAggregation& aggregation, const std::vector<const Series*>& all,
                   const Grid& grid) {
  const bool top = aggregation.op == VectorOp::topk;
  Matrix chosen;
  for (const Series* one : all)
    chosen.push_back({one->labels, std::vector<std::optional<double>>(grid.points)});
  for (std::size_t point = 0; point < grid.points; ++point) {
    std::vector<std::size_t> there;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i]->values[point]) there.push_back(i);
    }
    // Among equals the order of labels decides, so that the same question has the same answer.
    std::stable_sort(there.begin(), there.end(), [&](std::size_t a, std::size_t b) {
      const double left = *all[a]->values[point];
      const double right = *all[b]->values[point];
      // What is no number comes last.
      if (std::isnan(left) || std::isnan(right)) return std::isnan(right) && !std::isnan(left);
      return top ? left > right : left < right;
    });
    if (there.size() > aggregation.k) there.resize(static_cast<std::size_t>(aggregation.k));
    for (const std::size_t i : there) chosen[i].values[point] = all[i]->values[point];
  }
  std::erase_if(chosen, [](const Series& series) { return !has_samples(series); });
  return chosen;
}

Matrix choose_k(const VectorAggregation& aggregation, const Members& members, const Grid& grid) {
  Matrix result;
  for (const auto& [group, all] : members) {
    Matrix chosen = choose_from(aggregation, all, grid);
    std::move(chosen.begin(), chosen.end(), std::back_inserter(result));
  }
  return result;
}

bool compares(BinaryOp op) { return op >= BinaryOp::eq && op <= BinaryOp::le; }
bool is_of_sets(BinaryOp op) { return op >= BinaryOp::both; }

double calculate(BinaryOp op, double left, double right) {
  // As Loki, and other than Prometheus: no infinities.
  const bool divides = op == BinaryOp::div || op == BinaryOp::mod;
  if (divides && right == 0) return std::numeric_limits<double>::quiet_NaN();
  switch (op) {
    case BinaryOp::add:
      return left + right;
    case BinaryOp::sub:
      return left - right;
    case BinaryOp::mul:
      return left * right;
    case BinaryOp::div:
      return left / right;
    case BinaryOp::mod:
      return std::fmod(left, right);
    case BinaryOp::pow:
      return std::pow(left, right);
    case BinaryOp::eq:
      return left == right ? 1 : 0;
    case BinaryOp::ne:
      return left != right ? 1 : 0;
    case BinaryOp::gt:
      return left > right ? 1 : 0;
    case BinaryOp::ge:
      return left >= right ? 1 : 0;
    case BinaryOp::lt:
      return left < right ? 1 : 0;
    default:
      return left <= right ? 1 : 0;
  }
}

/// One point: a comparison keeps `kept` where it holds, unless it is to say 0 or 1.
std::optional<double> combine(const BinaryExpr& binary, double left, double right, double kept) {
  const double result = calculate(binary.op, left, right);
  if (!compares(binary.op) || binary.as_bool) return result;
  return result != 0 ? std::optional<double>(kept) : std::nullopt;
}

Matrix with_number(const BinaryExpr& binary, const Matrix& matrix, double number, bool number_is_left) {
  Matrix result;
  for (const auto& series : matrix) {
    Series made{group_labels(series.labels, {true, {}}),
                std::vector<std::optional<double>>(series.values.size())};
    for (std::size_t point = 0; point < series.values.size(); ++point) {
      if (!series.values[point]) continue;
      const double value = *series.values[point];
      made.values[point] =
          number_is_left ? combine(binary, number, value, value) : combine(binary, value, number, value);
    }
    if (has_samples(made)) result.push_back(std::move(made));
  }
  return result;
}

/// Series of the same labels, by them. A set operator's right-hand labels may come more than once.
std::map<Labels, const Series*> by_labels(const Matrix& matrix) {
  std::map<Labels, const Series*> index;
  for (const auto& series : matrix) index[group_labels(series.labels, {true, {}})] = &series;
  return index;
}

Matrix of_both(const BinaryExpr& binary, const Matrix& left, const Matrix& right) {
  const auto others = by_labels(right);
  Matrix result;
  for (const auto& series : left) {
    const Labels labels = group_labels(series.labels, {true, {}});
    const auto other = others.find(labels);
    if (other == others.end()) continue;
    Series made{labels, std::vector<std::optional<double>>(series.values.size())};
    for (std::size_t point = 0; point < series.values.size(); ++point) {
      const auto& a = series.values[point];
      const auto& b = other->second->values[point];
      if (a && b) made.values[point] = combine(binary, *a, *b, *a);
    }
    if (has_samples(made)) result.push_back(std::move(made));
  }
  return result;
}

/// `and`, `unless`: left samples where the right side has (has not) one of the same labels.
Matrix masked(const Matrix& left, const Matrix& right, bool wanted) {
  const auto others = by_labels(right);
  Matrix result;
  for (const auto& series : left) {
    const auto other = others.find(group_labels(series.labels, {true, {}}));
    Series made{series.labels, series.values};
    for (std::size_t point = 0; point < series.values.size(); ++point) {
      const bool there = other != others.end() && other->second->values[point].has_value();
      if (there != wanted) made.values[point].reset();
    }
    if (has_samples(made)) result.push_back(std::move(made));
  }
  return result;
}

Matrix of_sets(BinaryOp op, const Matrix& left, const Matrix& right) {
  if (op == BinaryOp::both) return masked(left, right, true);
  if (op == BinaryOp::unless) return masked(left, right, false);
  // What only the right side has, point by point; equal labels become one series.
  Matrix result = left;
  for (auto& series : masked(right, left, false)) {
    const Labels labels = group_labels(series.labels, {true, {}});
    const auto same = std::find_if(result.begin(), result.end(), [&](const Series& entry) {
      return group_labels(entry.labels, {true, {}}) == labels;
    });
    if (same == result.end()) {
      result.push_back(std::move(series));
      continue;
    }
    for (std::size_t point = 0; point < series.values.size(); ++point) {
      if (series.values[point]) same->values[point] = series.values[point];
    }
  }
  return result;
}

class Evaluator {
 public:
  Evaluator(const Grid& grid, const LeafSource& leaves) : grid_(grid), leaves_(leaves) {}

  shm::Result<Value> run(const Expr& expr) const {
    return std::visit([this](const auto& node) { return of(node); }, expr.node);
  }

 private:
  shm::Result<Value> of(const NumberExpr& number) const { return Value(number.value); }
  shm::Result<Value> of(const VectorExpr& vector) const {
    return Value(Matrix{{{}, std::vector<std::optional<double>>(grid_.points, vector.value)}});
  }
  shm::Result<Value> of(const RangeAggregation& range) const { return leaf(range, nullptr); }

  shm::Result<Value> leaf(const RangeAggregation& range, const Grouping* summed) const {
    auto matrix = leaves_(range, summed);
    if (!matrix.ok()) return matrix.error();
    return Value(std::move(matrix.value()));
  }

  shm::Result<Value> of(const VectorAggregation& aggregation) const {
    const Grouping grouping = aggregation.grouping.value_or(Grouping());
    const auto* range = std::get_if<RangeAggregation>(&aggregation.of->node);
    const bool is_sum = aggregation.op == VectorOp::sum;
    auto inner = range != nullptr ? leaf(*range, is_sum ? &grouping : nullptr) : run(*aggregation.of);
    if (!inner.ok()) return inner.error();
    if (!std::holds_alternative<Matrix>(inner.value())) {
      return shm::Error{shm::Errc::invalid, "parse error : a number cannot be aggregated"};
    }
    const Members members = members_of(std::get<Matrix>(inner.value()), grouping);
    const bool chooses = aggregation.op == VectorOp::topk || aggregation.op == VectorOp::bottomk;
    return Value(chooses ? choose_k(aggregation, members, grid_) : aggregate(aggregation.op, members, grid_));
  }

  shm::Result<Value> of(const BinaryExpr& binary) const {
    auto left = run(*binary.left);
    if (!left.ok()) return left;
    auto right = run(*binary.right);
    if (!right.ok()) return right;
    const auto* left_number = std::get_if<double>(&left.value());
    const auto* right_number = std::get_if<double>(&right.value());
    if (is_of_sets(binary.op)) {
      if (left_number != nullptr || right_number != nullptr) {
        return shm::Error{shm::Errc::invalid,
                          "parse error : unexpected literal for a leg of logical/set binary operation"};
      }
      return Value(of_sets(binary.op, std::get<Matrix>(left.value()), std::get<Matrix>(right.value())));
    }
    if (left_number != nullptr && right_number != nullptr) {
      return Value(calculate(binary.op, *left_number, *right_number));
    }
    if (right_number != nullptr)
      return Value(with_number(binary, std::get<Matrix>(left.value()), *right_number, false));
    if (left_number != nullptr)
      return Value(with_number(binary, std::get<Matrix>(right.value()), *left_number, true));
    return Value(of_both(binary, std::get<Matrix>(left.value()), std::get<Matrix>(right.value())));
  }

  const Grid& grid_;
  const LeafSource& leaves_;
};

}  // namespace

shm::Result<Value> evaluate(const Expr& expr, const Grid& grid, const LeafSource& leaves) {
  return Evaluator(grid, leaves).run(expr);
}

}  // namespace mayfly::logql
