#include "common/logql_lexer.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "common/text.h"

namespace mayfly::logql {
namespace {

// Longest first.
constexpr std::array<std::string_view, 25> kSymbols = {
    "=~", "!=", "!~", "!>", "|=", "|~", "|>", "==", ">=", "<=", "{", "}", "(",
    ")",  ",",  "=",  "|",  "+",  "-",  "*",  "/",  "%",  "^",  ">", "<"};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  shm::Result<std::vector<Token>> run() {
    std::vector<Token> tokens;
    while (true) {
      skip_blanks();
      token_ = Token();
      token_.line = line_;
      token_.column = column_;
      if (at_ == text_.size()) {
        tokens.push_back(std::move(token_));
        return tokens;
      }
      if (auto read = take(); !read.ok()) return read.error();
      tokens.push_back(std::move(token_));
    }
  }

 private:
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  void advance(std::size_t count) {
    for (; count > 0 && at_ < text_.size(); --count, ++at_) {
      const auto byte = static_cast<unsigned char>(text_[at_]);
      if (byte == '\n') {
        ++line_;
        column_ = 1;
      } else if ((byte & 0xc0U) != 0x80) {  // the first byte of a character
        ++column_;
      }
    }
  }
  void skip_blanks() {
    while (at_ < text_.size() && (is_blank(peek()) || peek() == '#')) {
      if (peek() != '#') {
        advance(1);
        continue;
      }
      while (at_ < text_.size() && peek() != '\n') advance(1);
    }
  }
  shm::Error fail(const std::string& text) const { return parse_error_at(token_.line, token_.column, text); }

  shm::Status take() {
    const char first = peek();
    if (first == '"' || first == '`') return take_string(first);
    if (first == '[') return take_range();
    if (is_digit(first) || (first == '.' && is_digit(peek(1)))) return take_number();
    if (is_letter(first)) {
      take_while(TokenKind::identifier, [](char c) { return is_letter(c) || is_digit(c); });
      return {};
    }
    for (const std::string_view symbol : kSymbols) {
      if (text_.substr(at_, symbol.size()) != symbol) continue;
      token_.kind = TokenKind::symbol;
      token_.text = symbol;
      advance(symbol.size());
      return {};
    }
    return fail("syntax error: unexpected character " + quote(text_.substr(at_, 1)));
  }

  template <typename Belongs>
  void take_while(TokenKind kind, Belongs belongs) {
    std::size_t end = at_;
    while (end < text_.size() && belongs(text_[end])) ++end;
    token_.kind = kind;
    token_.text = text_.substr(at_, end - at_);
    advance(end - at_);
  }

  shm::Status take_string(char mark) {
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != mark) {
      if (mark == '"' && text_[end] == '\n') return fail("literal not terminated");
      if (mark == '"' && text_[end] == '\\') ++end;
      ++end;
    }
    if (end >= text_.size()) return fail("literal not terminated");
    auto said = unquote(text_.substr(at_, end + 1 - at_));
    if (!said) return fail("invalid char escape");
    token_.kind = TokenKind::string;
    token_.text = std::move(*said);
    advance(end + 1 - at_);
    return {};
  }

  shm::Status take_range() {
    const std::size_t end = text_.find(']', at_);
    if (end == std::string_view::npos) return fail("missing closing ']' in duration");
    std::string_view inside = text_.substr(at_ + 1, end - at_ - 1);
    while (!inside.empty() && is_blank(inside.front())) inside.remove_prefix(1);
    while (!inside.empty() && is_blank(inside.back())) inside.remove_suffix(1);
    const auto duration = parse_duration(inside);
    if (!duration) return fail("not a valid duration string: " + quote(inside));
    if (*duration <= 0) return fail("the range of a range aggregation must be above 0");
    token_.kind = TokenKind::range;
    token_.text = text_.substr(at_, end + 1 - at_);
    token_.duration_ns = *duration;
    advance(end + 1 - at_);
    return {};
  }

  shm::Status take_number() {
    take_while(TokenKind::number, [](char c) { return is_digit(c) || is_letter(c) || c == '.'; });
    // The sign of an exponent belongs to the number as well.
    const char last = token_.text.back();
    if ((last == 'e' || last == 'E') && (peek() == '+' || peek() == '-') && is_digit(peek(1))) {
      const std::string mantissa = std::move(token_.text);
      const char sign = peek();
      advance(1);
      take_while(TokenKind::number, is_digit);
      token_.text = mantissa + sign + token_.text;
    }
    if (const auto duration = parse_duration(token_.text)) {
      token_.kind = TokenKind::duration;
      token_.duration_ns = *duration;
      return {};
    }
    const char* end = token_.text.data() + token_.text.size();
    const auto [stopped, error] = std::from_chars(token_.text.data(), end, token_.number);
    if (error != std::errc() || stopped != end) return fail("not a number: " + quote(token_.text));
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t column_ = 1;
  Token token_;
};

struct Unit {
  std::string_view name;
  std::int64_t ns;
};

constexpr std::int64_t kSecondNs = 1'000'000'000;
// Longest names first, so that "ms" is not taken for "m".
constexpr Unit kUnits[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xc2\xb5s", 1000},
    {"ms", 1'000'000},
    {"s", kSecondNs},
    {"m", 60 * kSecondNs},
    {"h", 3600 * kSecondNs},
    {"d", 24 * 3600 * kSecondNs},
    {"w", 7 * 24 * 3600 * kSecondNs},
    {"y", 365 * 24 * 3600 * kSecondNs},
};

const Unit* take_unit(std::string_view& text) {
  for (const auto& unit : kUnits) {
    if (text.substr(0, unit.name.size()) != unit.name) continue;
    text.remove_prefix(unit.name.size());
    return &unit;
  }
  return nullptr;
}

}  // namespace

shm::Result<std::vector<Token>> tokenize(std::string_view text) {
  if (!is_utf8(text)) return shm::Error{shm::Errc::invalid, "parse error : the query is not UTF-8"};
  return Lexer(text).run();
}

shm::Error parse_error_at(std::size_t line, std::size_t column, const std::string& text) {
  return {shm::Errc::invalid,
          "parse error at line " + std::to_string(line) + ", col " + std::to_string(column) + ": " + text};
}

std::optional<std::int64_t> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  double sum = 0;
  std::int64_t exact = 0;
  while (!text.empty()) {
    std::size_t digits = 0;
    bool fraction = false;
    while (digits < text.size() && (is_digit(text[digits]) || (text[digits] == '.' && !fraction))) {
      fraction = fraction || text[digits] == '.';
      ++digits;
    }
    double number = 0;
    std::int64_t whole = 0;
    const char* end = text.data() + digits;
    if (digits == 0 || std::from_chars(text.data(), end, number).ptr != end) return std::nullopt;
    if (!fraction && std::from_chars(text.data(), end, whole).ec != std::errc()) return std::nullopt;
    text.remove_prefix(digits);
    const Unit* unit = take_unit(text);
    if (unit == nullptr) return std::nullopt;
    sum += number * static_cast<double>(unit->ns);
    if (sum > 9e18) return std::nullopt;
    exact += fraction ? std::llround(number * static_cast<double>(unit->ns)) : whole * unit->ns;
  }
  return exact;
}

std::string format_duration(std::int64_t ns) {
  if (ns == 0) return "0s";
  std::string out = ns < 0 ? "-" : "";
  std::uint64_t left = ns < 0 ? 0 - static_cast<std::uint64_t>(ns) : static_cast<std::uint64_t>(ns);
  for (const std::string_view name : {"d", "h", "m", "s", "ms", "us", "ns"}) {
    for (const auto& unit : kUnits) {
      const auto size = static_cast<std::uint64_t>(unit.ns);
      if (unit.name != name || left < size) continue;
      out += std::to_string(left / size);
      out += name;
      left %= size;
    }
  }
  return out;
}

}  // namespace mayfly::logql
