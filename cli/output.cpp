#include "cli/output.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "common/text.h"

namespace mayfly::cli {

bool must_escape(const Globals& globals) {
  static const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  return terminal && !globals.raw;
}

std::string shown(const Globals& globals, std::string_view bytes) {
  return must_escape(globals) ? escape_control(bytes) : std::string(bytes);
}

bool print(std::string_view text) { return std::fwrite(text.data(), 1, text.size(), stdout) == text.size(); }

bool print_line(std::string_view text) { return print(text) && std::fputc('\n', stdout) != EOF; }

bool flush_output() { return std::fflush(stdout) == 0; }

std::string table(const std::vector<std::vector<std::string>>& rows) {
  if (rows.empty()) return "";
  std::vector<std::size_t> widths(rows[0].size(), 0);
  std::vector<bool> numeric(rows[0].size(), rows.size() > 1);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      widths[c] = std::max(widths[c], rows[r][c].size());
      if (r > 0 && rows[r][c].find_first_not_of("0123456789.") != std::string::npos) numeric[c] = false;
    }
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string blanks(widths[c] - row[c].size(), ' ');
      text += numeric[c] ? blanks + row[c] : row[c] + blanks;
      if (c + 1 < row.size()) text += "  ";
    }
    while (!text.empty() && text.back() == ' ') text.pop_back();
    text += '\n';
  }
  return text;
}

std::string short_age(std::uint64_t seconds) {
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return std::to_string(seconds / 60) + "m";
  if (seconds < 86400) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / 86400) + "d";
}

}  // namespace mayfly::cli
