// A host's metrics, read as what they are: somebody else's text. Pure functions, any thread.
//
// The Prometheus text format, version 0.0.4, line by line; a line that is not well-formed is
// dropped and counted. Timestamps are checked and left out: the scrape's time counts.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mayfly::hubd {

struct ExposedSample {
  std::string name;
  std::vector<std::pair<std::string, std::string>> labels;  // sorted by name, values unescaped
  std::string value;                                        // as it came
};

struct ExposedFamily {
  std::string name;
  std::string type = "untyped";  // counter, gauge, histogram, summary or untyped
  std::string help;              // unescaped
  std::vector<ExposedSample> samples;
};

struct Exposition {
  std::vector<ExposedFamily> families;  // in order of their first line, each name once
  std::size_t dropped = 0;              // lines
};

inline constexpr std::size_t kMaxMetricNameBytes = 256;
inline constexpr std::size_t kMaxMetricLabels = 32;
inline constexpr std::size_t kMaxMetricLineBytes = 64 << 10;

/// A series that comes twice counts once. `complete` false: the last line is cut, and left out.
Exposition parse_exposition(std::string_view text, bool complete);

/// Backslash, line end and quote escaped, for between the quotes of a label's value.
std::string escape_label_value(std::string_view value);

}  // namespace mayfly::hubd
