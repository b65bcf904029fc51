#include "ingestd/inline_line.h"

#include <array>

#include "ingestd/command_table.h"

namespace mayfly::ingestd {
namespace {

constexpr std::array<std::string_view, 9> kHttpMethods = {"GET",     "POST",  "PUT",     "HEAD", "DELETE",
                                                          "OPTIONS", "PATCH", "CONNECT", "TRACE"};

}  // namespace

std::string_view inline_command(std::string_view line) { return line.substr(0, line.find(' ')); }

void split_inline(std::string_view line, std::size_t max_parts, std::vector<RespArgument>& parts) {
  parts.clear();
  std::size_t from = 0;
  while (parts.size() + 1 < max_parts) {
    const std::size_t space = line.find(' ', from);
    if (space == std::string_view::npos) break;
    parts.push_back({static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(space - from)});
    from = space + 1;
  }
  parts.push_back({static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(line.size() - from)});
}

bool looks_like_http(std::string_view line) {
  const std::string_view word = inline_command(line);
  if (same_command(word, "Host:")) return true;
  for (const std::string_view method : kHttpMethods) {
    if (!same_command(word, method)) continue;
    return line.find(" HTTP/", word.size()) != std::string_view::npos || same_command(word, "POST");
  }
  return false;
}

}  // namespace mayfly::ingestd
