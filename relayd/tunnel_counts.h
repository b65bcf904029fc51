// What a host's end of the tunnel has done so far.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mayfly::relayd {

struct TunnelCounts {
  bool connected = false;
  std::uint64_t polls = 0;
  std::uint64_t requests = 0;  // handed to the handler
  std::uint64_t refused = 0;   // answered 503: too many in flight
  std::uint64_t dropped = 0;   // not answered: too many even for that, doubled, or without an id
  std::size_t in_flight = 0;   // now, refusals included
};

}  // namespace mayfly::relayd
