// Log output of every program: spdlog to standard error, one format, one place.
#pragma once

#include <string_view>

namespace mayfly {

/// Makes spdlog's default logger write lines such as
/// `2026-11-21T10:00:00.123Z ingestd[42] warning: text` to standard error. Call once, at the start
/// of main, before any thread. `level` is one of trace, debug, info, warning, error, critical, off.
/// False when it is none of these (info is in force then).
bool init_log_output(std::string_view program, std::string_view level = "info");

/// True for a word that init_log_output takes.
bool valid_log_level(std::string_view level);

}  // namespace mayfly
