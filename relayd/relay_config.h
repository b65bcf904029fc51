// A host's file (contract, section 4), and what relayd makes of it together with its flags.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/yaml_file.h"
#include "shm/result.h"

namespace mayfly::relayd {

/// Where to listen with TCP.
struct RelayAddress {
  std::string host = "127.0.0.1";
  std::uint16_t port = 4719;
};

struct RelayConfig {
  std::string peer_dir;                                 // ingestd's runtime directory; empty: the same
  std::string name;                                     // towards the hub; empty: nothing is fetched
  std::string api_key;                                  // empty: none is sent
  std::string made_key_file;                            // the key was made just now, and is kept there
  std::string quota_url;                                // empty: nothing is fetched
  std::string hub_ca;                                   // PEM file; empty: the system's authorities
  std::string tunnel_url;                               // empty, or no key: no tunnel
  std::optional<RelayAddress> listen = RelayAddress{};  // nothing: no TCP
  std::optional<std::string> listen_unix;               // nothing: relay.sock; empty: none
  unsigned socket_mode = 0660;
  std::optional<unsigned> socket_group;  // gid
  std::vector<std::string> hosts;
  std::uint64_t max_connections = 1280;
  std::uint64_t max_connections_per_source = 1024;  // common/peer_source.h
};

/// What the command line says; empty: nothing.
struct RelayFlags {
  std::string config;
  std::string peer_dir;
  std::string relay;       // HOST:PORT, PORT, or "none"
  std::string relay_unix;  // a path, or "none"
  std::string hub_url;
  std::string name;
  std::string api_key_file;
};

/// Reads the file, if one is given, then applies the flags; makes the key file where it is named and
/// does not exist. Errors: invalid (with file:line:column where the file is wrong; a weak key),
/// untrusted (a key that others may read), not_found, io.
shm::Result<RelayConfig> load_relay_config(const RelayFlags& flags);

/// Every key that a host's file may hold, for the reference.
std::span<const ConfigTable* const> relay_config_tables();

}  // namespace mayfly::relayd
