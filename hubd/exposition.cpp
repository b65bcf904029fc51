#include "hubd/exposition.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "common/text.h"

namespace mayfly::hubd {
namespace {

constexpr std::string_view kTypes[] = {"counter", "gauge", "histogram", "summary", "untyped"};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view take_blanks(std::string_view& rest) {
  const std::size_t size = std::min(rest.find_first_not_of(" \t"), rest.size());
  const std::string_view blanks = rest.substr(0, size);
  rest.remove_prefix(size);
  return blanks;
}

/// A name at the start of `rest`; empty: there is none. Colons are for metrics only.
std::string_view take_name(std::string_view& rest, bool colons) {
  std::size_t size = 0;
  while (size < rest.size()) {
    const char c = rest[size];
    if (!is_letter(c) && !(colons && c == ':') && !(size > 0 && is_digit(c))) break;
    ++size;
  }
  const std::string_view name = rest.substr(0, size);
  rest.remove_prefix(size);
  return name;
}

std::string_view take_word(std::string_view& rest) {
  const std::size_t size = std::min(rest.find_first_of(" \t"), rest.size());
  const std::string_view word = rest.substr(0, size);
  rest.remove_prefix(size);
  return word;
}

/// The text before the quote that ends it. Nothing: no quote, or a wrong escape.
std::optional<std::string> take_quoted(std::string_view& rest) {
  std::string out;
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c == '"') return out;
    if (c != '\\') {
      out += c;
      continue;
    }
    if (rest.empty()) return {};
    const char escaped = rest.front();
    rest.remove_prefix(1);
    if (escaped != 'n' && escaped != '\\' && escaped != '"') return {};
    out += escaped == 'n' ? '\n' : escaped;
  }
  return {};
}

/// `{a="b",...}`, with a comma allowed at its end.
bool take_labels(std::string_view& rest, ExposedSample& sample) {
  rest.remove_prefix(1);
  while (true) {
    take_blanks(rest);
    if (rest.starts_with('}')) break;
    const std::string_view name = take_name(rest, false);
    take_blanks(rest);
    if (name.empty() || name.starts_with("__") || name.size() > kMaxMetricNameBytes || !rest.starts_with('='))
      return false;
    rest.remove_prefix(1);
    take_blanks(rest);
    if (!rest.starts_with('"')) return false;
    rest.remove_prefix(1);
    std::optional<std::string> value = take_quoted(rest);
    if (!value || sample.labels.size() == kMaxMetricLabels) return false;
    sample.labels.emplace_back(name, std::move(*value));
    take_blanks(rest);
    if (rest.starts_with(',')) {
      rest.remove_prefix(1);
    } else if (!rest.starts_with('}')) {
      return false;
    }
  }
  rest.remove_prefix(1);
  std::sort(sample.labels.begin(), sample.labels.end());
  const auto same_name = [](const auto& a, const auto& b) { return a.first == b.first; };
  return std::adjacent_find(sample.labels.begin(), sample.labels.end(), same_name) == sample.labels.end();
}

/// Digits, with what Go and C agree upon; no hexadecimal, no underscores.
bool is_value(std::string_view text) {
  if (text.size() > 64) return false;
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  if (text == "Inf" || text == "NaN") return true;
  std::size_t digits = 0;
  const auto take_digits = [&] {
    while (!text.empty() && is_digit(text.front())) {
      text.remove_prefix(1);
      ++digits;
    }
  };
  take_digits();
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    take_digits();
  }
  if (digits == 0) return false;
  if (text.empty()) return true;
  if (text.front() != 'e' && text.front() != 'E') return false;
  text.remove_prefix(1);
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  digits = 0;
  take_digits();
  return digits > 0 && text.empty();
}

bool is_timestamp(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.size() <= 18 && std::all_of(text.begin(), text.end(), is_digit);
}

std::optional<ExposedSample> read_sample(std::string_view line) {
  ExposedSample sample;
  sample.name = take_name(line, true);
  if (sample.name.empty() || sample.name.size() > kMaxMetricNameBytes) return {};
  const bool blank = !take_blanks(line).empty();
  if (line.starts_with('{')) {
    if (!take_labels(line, sample)) return {};
    take_blanks(line);
  } else if (!blank) {
    return {};
  }
  sample.value = take_word(line);
  if (!is_value(sample.value)) return {};
  take_blanks(line);
  const std::string_view timestamp = take_word(line);
  take_blanks(line);
  if ((!timestamp.empty() && !is_timestamp(timestamp)) || !line.empty()) return {};
  return sample;
}

std::optional<std::string> unescape_help(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    if (++i == text.size() || (text[i] != 'n' && text[i] != '\\')) return {};
    out += text[i] == 'n' ? '\n' : '\\';
  }
  return out;
}

/// Puts lines together to families.
class FamilyReader {
 public:
  void read(std::string_view line) {
    if (line.empty() || line.find_first_not_of(" \t") == std::string_view::npos) return;
    const bool good = line.size() <= kMaxMetricLineBytes && is_utf8(line) &&
                      (line.starts_with('#') ? read_comment(line) : take_sample(line));
    if (!good) ++out_.dropped;
  }
  Exposition take() { return std::move(out_); }
  void drop() { ++out_.dropped; }

 private:
  bool read_comment(std::string_view line) {
    line.remove_prefix(1);
    take_blanks(line);
    const std::string_view what = take_word(line);
    if (what != "HELP" && what != "TYPE") return true;  // a comment
    take_blanks(line);
    const std::string_view name = take_name(line, true);
    if (name.empty() || name.size() > kMaxMetricNameBytes) return false;
    if (!line.empty() && take_blanks(line).empty()) return false;
    if (what == "HELP") {
      std::optional<std::string> help = unescape_help(line);
      if (!help) return false;
      ExposedFamily& family = family_of(name);
      if (family.help.empty()) family.help = std::move(*help);
      return true;
    }
    while (line.ends_with(' ') || line.ends_with('\t')) line.remove_suffix(1);
    if (std::find(std::begin(kTypes), std::end(kTypes), line) == std::end(kTypes)) return false;
    ExposedFamily& family = family_of(name);
    if (!family.samples.empty() || family.type != "untyped") return false;  // too late, or again
    family.type = line;
    return true;
  }

  bool take_sample(std::string_view line) {
    std::optional<ExposedSample> sample = read_sample(line);
    if (!sample || !seen_.insert(series_of(*sample)).second) return false;
    ExposedFamily& family = family_of(family_name(sample->name));
    family.samples.push_back(std::move(*sample));
    return true;
  }

  static std::string series_of(const ExposedSample& sample) {
    std::string series = sample.name;
    for (const auto& [name, value] : sample.labels) {
      series += "," + name + "=\"" + escape_label_value(value) + "\"";
    }
    return series;
  }

  /// "x" for "x_bucket", where x is known as a histogram; else the name itself.
  std::string_view family_name(std::string_view sample) const {
    for (const std::string_view suffix : {"_bucket", "_sum", "_count"}) {
      if (!sample.ends_with(suffix)) continue;
      const std::string_view base = sample.substr(0, sample.size() - suffix.size());
      const auto known = by_name_.find(std::string(base));
      if (known == by_name_.end()) continue;
      const std::string& type = out_.families[known->second].type;
      if (type == "histogram" || (type == "summary" && suffix != "_bucket")) return base;
    }
    return sample;
  }

  ExposedFamily& family_of(std::string_view name) {
    const auto [at, fresh] = by_name_.emplace(std::string(name), out_.families.size());
    if (fresh) {
      out_.families.emplace_back();
      out_.families.back().name = name;
    }
    return out_.families[at->second];
  }

  Exposition out_;
  std::unordered_map<std::string, std::size_t> by_name_;
  std::unordered_set<std::string> seen_;
};

}  // namespace

Exposition parse_exposition(std::string_view text, bool complete) {
  FamilyReader reader;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      if (complete) {
        reader.read(text);
      } else {
        reader.drop();
      }
      break;
    }
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    reader.read(line);
    text.remove_prefix(end + 1);
  }
  return reader.take();
}

std::string escape_label_value(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace mayfly::hubd
