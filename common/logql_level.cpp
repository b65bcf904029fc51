// The level of an entry, from its line: Loki's detected_level.
#include <cctype>

#include "common/logql_labels.h"

namespace mayfly::logql {
namespace {

constexpr std::size_t kLookedAtBytes = 4096;

struct LevelWord {
  std::string_view word;
  Level level;
};

constexpr LevelWord kLevelWords[] = {
    {"trace", Level::trace},      {"trc", Level::trace},         {"debug", Level::debug},
    {"dbg", Level::debug},        {"info", Level::info},         {"inf", Level::info},
    {"information", Level::info}, {"notice", Level::info},       {"warn", Level::warn},
    {"wrn", Level::warn},         {"warning", Level::warn},      {"error", Level::error},
    {"err", Level::error},        {"critical", Level::critical}, {"crit", Level::critical},
    {"fatal", Level::fatal},      {"panic", Level::fatal},       {"emerg", Level::fatal},
};

constexpr std::string_view kLevelFields[] = {"level",        "log.level",     "severity", "lvl",
                                             "severitytext", "severity_text", "loglevel", "log_level"};

bool same_word(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(text[i])) != lower[i]) return false;
  }
  return true;
}

Level level_of_word(std::string_view word) {
  for (const auto& entry : kLevelWords) {
    if (same_word(word, entry.word)) return entry.level;
  }
  return Level::unknown;
}

bool is_level_field(std::string_view name) {
  for (const std::string_view field : kLevelFields) {
    if (same_word(name, field)) return true;
  }
  return false;
}

bool is_word_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_key_character(char c) { return is_word_character(c) || c == '.' || c == '-'; }

std::size_t skip_spaces(std::string_view line, std::size_t at) {
  while (at < line.size() && std::isspace(static_cast<unsigned char>(line[at])) != 0) ++at;
  return at;
}

/// The end of a string that begins after a quote: where its closing quote is, or the line's end.
std::size_t string_end(std::string_view line, std::size_t at) {
  while (at < line.size() && line[at] != '"') at += line[at] == '\\' ? 2 : 1;
  return std::min(at, line.size());
}

/// From `"level": "warn"`, at any depth.
Level level_of_json(std::string_view line) {
  std::size_t at = line.find('"');
  while (at != std::string_view::npos && at < line.size()) {
    const std::size_t end = string_end(line, at + 1);
    const std::string_view name = line.substr(at + 1, end - at - 1);
    std::size_t after = skip_spaces(line, end + 1);
    if (after < line.size() && line[after] == ':') {
      after = skip_spaces(line, after + 1);
      if (is_level_field(name) && after < line.size() && line[after] == '"') {
        const std::size_t value_end = string_end(line, after + 1);
        return level_of_word(line.substr(after + 1, value_end - after - 1));
      }
    }
    at = after < line.size() ? line.find('"', after) : std::string_view::npos;
  }
  return Level::unknown;
}

/// From `level=warn` or `level="warn"`.
Level level_of_logfmt(std::string_view line) {
  for (std::size_t at = line.find('='); at != std::string_view::npos; at = line.find('=', at + 1)) {
    std::size_t begin = at;
    while (begin > 0 && is_key_character(line[begin - 1])) --begin;
    if (!is_level_field(line.substr(begin, at - begin))) continue;
    std::size_t value = at + 1;
    if (value < line.size() && line[value] == '"') ++value;
    std::size_t end = value;
    while (end < line.size() && is_word_character(line[end])) ++end;
    const Level level = level_of_word(line.substr(value, end - value));
    if (level != Level::unknown) return level;
  }
  return Level::unknown;
}

/// Behind an escape sequence of a terminal that begins here; else here.
std::size_t skip_colours(std::string_view line, std::size_t at) {
  if (line[at] != '\x1b' || at + 1 >= line.size() || line[at + 1] != '[') return at;
  at += 2;
  while (at < line.size() && (std::isdigit(static_cast<unsigned char>(line[at])) != 0 || line[at] == ';'))
    ++at;
  return std::min(at + 1, line.size());
}

Level level_of_words(std::string_view line) {
  std::size_t at = 0;
  while (at < line.size()) {
    if (const std::size_t behind = skip_colours(line, at); behind != at) {
      at = behind;
      continue;
    }
    std::size_t end = at;
    while (end < line.size() && is_word_character(line[end])) ++end;
    if (end > at) {
      const Level level = level_of_word(line.substr(at, end - at));
      if (level != Level::unknown) return level;
    }
    at = end > at ? end : at + 1;
  }
  return Level::unknown;
}

}  // namespace

Level detect_level(std::string_view line) {
  const std::size_t first = skip_spaces(line, 0);
  const bool json =
      first < line.size() && line[first] == '{' && line.find('}', first) != std::string_view::npos;
  line = line.substr(first, kLookedAtBytes);
  Level level = Level::unknown;
  if (json) {
    level = level_of_json(line);
  } else {
    level = level_of_logfmt(line);
  }
  return level != Level::unknown ? level : level_of_words(line);
}

}  // namespace mayfly::logql
