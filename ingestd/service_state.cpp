#include "ingestd/service_state.h"

namespace mayfly::ingestd {

std::string_view service_line(Service service) {
  switch (service) {
    case Service::go:
      return "+GO\r\n";
    case Service::no_quotas:
      return "-STOP no-quotas the relay has not said yet which directories there are\r\n";
    case Service::paused:
      return "-STOP paused the relay has paused this server\r\n";
    case Service::memory:
      return "-STOP memory the segment is full and nothing can be evicted\r\n";
    case Service::shutdown:
      return "-STOP shutdown this process is ending\r\n";
  }
  return "+GO\r\n";
}

}  // namespace mayfly::ingestd
