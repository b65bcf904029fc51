// The exposition formats: families, labels, escapes. Internal to metrics.cpp.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "relayd/metrics.h"

namespace mayfly::relayd {

class MetricsText {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  explicit MetricsText(MetricsFormat format) : format_(format) {}

  /// Begins a family. A counter's name ends in `_total`.
  void counter(std::string_view name, std::string_view help);
  void gauge(std::string_view name, std::string_view help);
  /// A sample of the family begun last. Label values may be any UTF-8.
  void sample(Labels labels, std::uint64_t value);
  void sample(Labels labels, std::string_view value);
  std::string finish();

 private:
  void family(std::string_view name, std::string_view type, std::string_view help);

  MetricsFormat format_;
  std::string name_;
  std::string out_;
};

}  // namespace mayfly::relayd
