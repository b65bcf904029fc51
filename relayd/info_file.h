// mayfly.json of a relayd that has its runtime directory for itself alone (--peer-dir): what a
// supervisor would write, as far as relayd knows it.
#pragma once

#include <string>

#include "common/runtime_dir.h"

namespace mayfly::relayd {

struct InfoFile {
  RuntimePaths paths;
  std::string address;  // "http://127.0.0.1:4719"; empty: none
  std::string unix_socket;
  std::string server;
};

/// Writes it; a failure is a warning. `running` false: at a clean end, the sockets may outlive us.
void write_info_file(const InfoFile& file, bool running);

}  // namespace mayfly::relayd
