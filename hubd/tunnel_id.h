// Names for requests on their way through the tunnel.
#pragma once

#include <cstdint>
#include <string>

namespace mayfly::hubd {

/// A ULID: 26 characters of Crockford's base32, 48 bits of `wall_ms` and 80 random bits of the
/// kernel's generator, so that nobody guesses the id of another's request. Any thread.
std::string make_tunnel_id(std::uint64_t wall_ms);

}  // namespace mayfly::hubd
