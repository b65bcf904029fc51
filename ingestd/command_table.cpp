#include "ingestd/command_table.h"

#include <strings.h>

namespace mayfly::ingestd {

bool same_command(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace mayfly::ingestd
