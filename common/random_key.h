// Random secrets, and authentication of short texts by one. OpenSSL; any thread.
#pragma once

#include <string>
#include <string_view>

#include "shm/result.h"

namespace mayfly {

/// 256 random bits as 43 characters of A-Z a-z 0-9 - _. Error: io (no random numbers to be had).
shm::Result<std::string> random_key();

/// HMAC-SHA256 in the same form.
std::string keyed_hash(std::string_view key, std::string_view text);

/// Compares in a time that does not tell where they differ.
bool same_secret(std::string_view a, std::string_view b);

}  // namespace mayfly
