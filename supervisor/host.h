// Who this host is towards its hub: name and key.
#pragma once

#include <string>

#include "shm/result.h"
#include "supervisor/options.h"

namespace mayfly::supervisor {

struct HostIdentity {
  std::string name;
  std::string key_file;  // for relayd's --api-key-file; empty: the host's own file has the key
  std::string tripcode;  // of the key
  bool name_in_config = false;
  bool hub_in_config = false;  // the host's file names a hub
};

/// The host name as a server name: what a name may not hold becomes '-'.
std::string local_server_name();

/// Reads name and key of `config` (empty: none) where it has them. A missing name is the host
/// name; a missing key is the one in `key_path`. A key file that does not exist is made (0600, random).
/// Errors: invalid (with file:line; a weak key), untrusted (a key that others can read), io.
shm::Result<HostIdentity> load_host_identity(const std::string& config, const std::string& key_path);

}  // namespace mayfly::supervisor
