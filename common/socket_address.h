// A socket's own address, in words.
#pragma once

#include <string>

namespace mayfly {

/// "127.0.0.1:4717", "[::1]:4717", or a unix socket's path ("unix" where it has none, "?" where the
/// descriptor is no socket).
std::string socket_address(int fd);

}  // namespace mayfly
