// Passwords of people, hashed by libcrypt. Slow on purpose (some 50 ms and 16 MiB): never on a loop.
//
// Thread safety: every function may be called from any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "shm/result.h"

namespace mayfly {

/// What libcrypt takes.
inline constexpr std::size_t kMaxPasswordBytes = 511;

/// A new yescrypt hash with a random salt, "$y$...". Errors: invalid (empty, too long, holds a NUL), io.
shm::Result<std::string> hash_password(const std::string& password);

/// Whether `password` is the one of `hash`. Costs what the hash asks for, whatever the password is.
/// False also where `hash` is none that libcrypt knows.
bool password_matches(const std::string& password, const std::string& hash);

/// False for a text that no password can match: not a hash that libcrypt knows.
bool is_password_hash(const std::string& hash);

/// Overwrites the bytes, so that a secret does not stay in memory that is given back.
void wipe(std::string& secret);

}  // namespace mayfly
