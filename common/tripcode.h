// Key fingerprints as PTTH has them: standard base64, padded, of the BLAKE3-256 of the key's bytes.
// Pure functions, thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/blake3.h"

namespace mayfly {

/// 44 characters. Any key, also the empty one.
std::string tripcode(std::string_view key);

/// The hash that a tripcode stands for; padding may be missing. Nothing for any other text.
std::optional<Blake3Hash> parse_tripcode(std::string_view text);

/// Compares fingerprints. Takes the same time wherever they differ.
bool same_hash(const Blake3Hash& a, const Blake3Hash& b);

/// True for the fingerprint of a password that everybody tries first.
bool is_well_known_password(const Blake3Hash& hash);

}  // namespace mayfly
