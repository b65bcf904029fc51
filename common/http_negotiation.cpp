#include "common/http_negotiation.h"

#include <algorithm>
#include <cctype>

#include "common/http_message.h"

namespace mayfly {
namespace {

constexpr int kFullWeight = 1000;

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool equal_names(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

/// Takes what precedes `separator` off the front of `rest`.
std::string_view take_item(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  const std::string_view item = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return without_blanks(item);
}

/// "0.75" as 750. More digits than three are cut; no number: 1000.
int parse_weight(std::string_view text) {
  if (text.empty() || (text[0] != '0' && text[0] != '1')) return kFullWeight;
  if (text[0] == '1') return kFullWeight;
  int weight = 0;
  int unit = kFullWeight / 10;
  for (std::size_t i = 2; i < text.size() && text[1] == '.' && unit > 0; ++i, unit /= 10) {
    if (text[i] < '0' || text[i] > '9') break;
    weight += (text[i] - '0') * unit;
  }
  return weight;
}

/// The q among `parameters` ("version=1.0.0; q=0.5").
int weight_of(std::string_view parameters) {
  while (!parameters.empty()) {
    std::string_view value = take_item(parameters, ';');
    const std::string_view name = take_item(value, '=');
    if (equal_names(name, "q")) return parse_weight(value);
  }
  return kFullWeight;
}

/// The weight that the list gives to the first of `ranges` (most specific first) that it names.
template <class Ranges>
int weight_in(std::string_view list, const Ranges& ranges) {
  std::size_t best = std::size(ranges);
  int weight = 0;
  while (!list.empty()) {
    std::string_view parameters = take_item(list, ',');
    const std::string_view range = take_item(parameters, ';');
    for (std::size_t i = 0; i < std::size(ranges) && i <= best; ++i) {
      if (!equal_names(range, ranges[i])) continue;
      const int found = weight_of(parameters);
      weight = i < best ? found : std::max(weight, found);
      best = i;
      break;
    }
  }
  return weight;
}

}  // namespace

int accept_weight(const std::string* accept, std::string_view type) {
  if (accept == nullptr || without_blanks(*accept).empty()) return kFullWeight;
  const std::string group = std::string(type.substr(0, type.find('/'))) + "/*";
  const std::string_view ranges[] = {type, group, "*/*"};
  return weight_in(*accept, ranges);
}

bool prefers_open_metrics(const std::string* accept) {
  constexpr std::string_view kOpenMetrics = "application/openmetrics-text";
  const int open_metrics = accept_weight(accept, kOpenMetrics);
  const int text = accept_weight(accept, "text/plain");
  // Of two that are equally welcome, the one that was asked for by name.
  const bool named = accepts_explicitly(accept, kOpenMetrics);
  return open_metrics > 0 && (open_metrics > text || (open_metrics == text && named));
}

int encoding_weight(const std::string* accept_encoding, std::string_view coding) {
  if (accept_encoding == nullptr) return 0;
  const std::string_view ranges[] = {coding, "*"};
  return weight_in(*accept_encoding, ranges);
}

bool matches_etag(const std::string* if_none_match, std::string_view etag) {
  if (if_none_match == nullptr) return false;
  std::string_view rest = *if_none_match;
  while (!rest.empty()) {
    std::string_view item = take_item(rest, ',');
    if (item == "*") return true;
    if (item.substr(0, 2) == "W/") item.remove_prefix(2);
    if (item == etag) return true;
  }
  return false;
}

}  // namespace mayfly
