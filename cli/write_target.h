// Where a writing command connects to.
#pragma once

#include <sys/socket.h>

#include <string>
#include <vector>

#include "cli/command.h"
#include "shm/result.h"

namespace mayfly::cli {

struct WriteTarget {
  sockaddr_storage address{};
  socklen_t size = 0;
  std::string text;  // for people
};

/// "host:port", "[v6]:port", or the path of a unix socket (anything with a slash, or "unix:path").
/// Errors: invalid, not_found (no such host).
shm::Result<std::vector<WriteTarget>> parse_target(const std::string& text);

/// $MAYFLY_ADDR if set; else what mayfly.json says in these fields, in this order (native: the unix
/// socket first). Errors: as parse_target(); not_found when nothing is up.
shm::Result<std::vector<WriteTarget>> find_targets(const Globals& globals,
                                                   const std::vector<std::string>& fields = {"ingest_unix",
                                                                                             "ingest"});

}  // namespace mayfly::cli
