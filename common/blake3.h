// BLAKE3 with its standard 256-bit output, in portable C++ after the public specification.
// For key fingerprints and small texts: one thread, no vector instructions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mayfly {

using Blake3Hash = std::array<std::uint8_t, 32>;

/// Pure, thread-safe; any length.
Blake3Hash blake3(std::string_view bytes);

}  // namespace mayfly
