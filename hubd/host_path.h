// What a path of a host's read API would show, for readers who may see only a part of the host.
#pragma once

#include <string>

#include "common/http_message.h"
#include "hubd/access.h"

namespace mayfly::hubd {

struct HostPath {
  enum class Shows {
    nothing_known,  // anything that is not written exactly as one of the others
    directory,      // one, that the path names
    listing,        // what the host itself narrows to the scope that goes with the request
  };
  Shows shows = Shows::nothing_known;
  std::string directory;
};

/// Pure. Reads the path by the very function that relayd reads it by, and then is stricter: the
/// fixed parts must stand there undisguised (no percent-coding, no empty segments).
HostPath read_host_path(const HttpRequest& request);

/// Whether a reader with `scope` may have that path.
bool may_read(const Scope& scope, const HostPath& path);

/// A public path, split where the host's own begins.
struct ServerPath {
  std::string server;  // as written; empty: not such a path
  std::string rest;    // begins with '/'; empty: nothing follows the name
};

/// Splits "/frontend/servers/web-1/api/v1" below the prefix "/frontend/servers/".
ServerPath split_server_path(std::string_view path, std::string_view prefix);

}  // namespace mayfly::hubd
