// What the hub knows of a server by its polls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace mayfly::hubd {

struct HostState {
  bool connected = false;  // a poll is open, or the last one was answered less than 5 s ago
  std::optional<std::uint64_t> last_seen_ns;  // wall clock of the last poll accepted
  std::string version;                        // "mayfly-version" of its polls; empty: another program
  bool takes_scopes = false;                  // it honours kReadScopeHeader
  std::size_t waiting = 0;                    // requests for its next poll
  std::size_t in_flight = 0;                  // handed out, not completely answered
};

}  // namespace mayfly::hubd
