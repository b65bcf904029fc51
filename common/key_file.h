// The key of a host: in a file of its own, or in its configuration.
#pragma once

#include <string>
#include <string_view>

#include "shm/result.h"

namespace mayfly {

/// Errors (invalid): a key that no header could carry (visible ASCII only), that is empty, or that
/// everybody tries first. The message never has the key.
shm::Status check_key(std::string_view key);

/// The first line of a regular file of ours with mode 0600. Errors: not_found, untrusted (the mode,
/// or somebody else's), invalid (no key, or check_key()), io.
shm::Result<std::string> read_key_file(const std::string& path);

struct HostKey {
  std::string key;
  bool made = false;  // just now
};

/// The same; where there is no such file, it is made, with 256 random bits. Errors: as read_key_file.
shm::Result<HostKey> read_or_make_key_file(const std::string& path);

}  // namespace mayfly
