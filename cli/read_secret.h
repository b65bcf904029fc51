// A secret from standard input. Never echoed, never an argument: those are seen by every user.
#pragma once

#include <string>

#include "shm/result.h"

namespace mayfly::cli {

/// From a terminal: asks with `prompt` on standard error, twice, without echo. Otherwise the first
/// line, without its end. Errors: invalid (empty, too long, not the same twice), io.
shm::Result<std::string> read_secret(const std::string& prompt);

}  // namespace mayfly::cli
