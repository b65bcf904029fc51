// What commands print: whole lines on standard output, data escaped where a terminal would obey it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"

namespace mayfly::cli {

/// True when stored bytes must be escaped: standard output is a terminal, and no --raw.
bool must_escape(const Globals& globals);

/// `bytes`, escaped where must_escape() says so.
std::string shown(const Globals& globals, std::string_view bytes);

/// Writes all of it; buffered until flush_output(). False when standard output takes no more.
bool print(std::string_view text);
bool print_line(std::string_view text);
bool flush_output();

/// Rows with their columns aligned, two blanks between; the first row is the heading. Cells that
/// are numbers throughout their column stand on the right.
std::string table(const std::vector<std::vector<std::string>>& rows);

/// "3s", "5m", "2h", "4d": how long ago, in one unit.
std::string short_age(std::uint64_t seconds);

}  // namespace mayfly::cli
