// Strings as Go writes them: what LogQL's quotes and backticks mean.
#include <cstdint>

#include "common/logql_lexer.h"
#include "common/text.h"

namespace mayfly::logql {
namespace {

constexpr std::string_view kEscapeLetters = "abfnrtv\\\"'";
constexpr std::string_view kEscapeMeanings = "\a\b\f\n\r\t\v\\\"'";
constexpr char kHexDigits[] = "0123456789abcdef";

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xc0 | code >> 6U);
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12U);
    put(0x80 | (code >> 6U & 0x3fU));
  } else {
    put(0xf0 | code >> 18U);
    put(0x80 | (code >> 12U & 0x3fU));
    put(0x80 | (code >> 6U & 0x3fU));
  }
  put(0x80 | (code & 0x3fU));
}

/// Takes `count` digits of that base.
std::optional<std::uint32_t> take_code(std::string_view& rest, std::size_t count, std::uint32_t base) {
  if (rest.size() < count) return std::nullopt;
  std::uint32_t code = 0;
  for (const char c : rest.substr(0, count)) {
    const char lower = static_cast<char>(c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c);
    const auto digit = std::string_view(kHexDigits).find(lower);
    if (digit >= base) return std::nullopt;
    code = code * base + static_cast<std::uint32_t>(digit);
  }
  rest.remove_prefix(count);
  return code;
}

/// Takes what follows a backslash.
bool take_escape(std::string_view& rest, std::string& out) {
  if (rest.empty()) return false;
  const char letter = rest[0];
  if (const auto known = kEscapeLetters.find(letter); known != std::string_view::npos) {
    out += kEscapeMeanings[known];
    rest.remove_prefix(1);
    return true;
  }
  if (letter >= '0' && letter <= '7') {
    const auto code = take_code(rest, 3, 8);
    if (!code || *code > 0xff) return false;
    out += static_cast<char>(*code);
    return true;
  }
  rest.remove_prefix(1);
  if (letter == 'x') {
    const auto code = take_code(rest, 2, 16);
    if (code) out += static_cast<char>(*code);
    return code.has_value();
  }
  if (letter != 'u' && letter != 'U') return false;
  const auto code = take_code(rest, letter == 'u' ? 4 : 8, 16);
  if (!code || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000)) return false;
  append_utf8(out, *code);
  return true;
}

}  // namespace

std::optional<std::string> unquote(std::string_view text) {
  const char mark = text.front();
  std::string_view rest = text.substr(1, text.size() - 2);
  if (mark == '`') return std::string(rest);
  std::string out;
  while (!rest.empty()) {
    const char c = rest[0];
    rest.remove_prefix(1);
    if (c != '\\') {
      out += c;
    } else if (!take_escape(rest, out)) {
      return std::nullopt;
    }
  }
  return out;
}

std::string quote(std::string_view text) {
  const bool readable = is_utf8(text);
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const auto known = kEscapeMeanings.find(c);
    if (known != std::string_view::npos && c != '\'') {
      out += '\\';
      out += kEscapeLetters[known];
    } else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !readable)) {
      out += "\\x";
      out += kHexDigits[byte >> 4U];
      out += kHexDigits[byte & 0xfU];
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace mayfly::logql
