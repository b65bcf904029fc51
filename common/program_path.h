// Where the other programs of this installation are.
#pragma once

#include <string>

namespace mayfly {

/// The daemon `name`: beside the running program, else in the `sbin` beside its directory (that is
/// where packages put daemons). Where it is in neither place: beside the running program.
std::string program_path(const std::string& name);

}  // namespace mayfly
