// The hub's file (docs/configuration.md): what it says, checked as a whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/blake3.h"
#include "common/yaml_file.h"
#include "shm/control.h"
#include "shm/result.h"

namespace mayfly::hubd {

struct ListenAddress {
  std::string host = "127.0.0.1";  // a numeric address, or "localhost"
  std::uint16_t port = 4000;       // 0: a free one

  /// "127.0.0.1:4000", "[::1]:4000".
  std::string text() const;
  bool is_loopback() const;
  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

struct Server {
  std::string name;
  Blake3Hash key_hash{};
  std::string display_name;
  bool paused = false;
};

struct Right {
  std::string server;  // or "*"
  std::string prefix;
};

struct User {
  std::string name;
  std::string password;  // a libcrypt hash
  std::vector<Right> rights;
};

struct ScraperKey {
  std::string name;
  Blake3Hash hash{};
  std::uint64_t not_before_ns = 0;  // wall clock
  std::uint64_t not_after_ns = 0;
  std::vector<Right> rights;
};

struct TlsFiles {
  std::string place;  // "file:line:column: "
  std::string certificate;
  std::string key;
};

struct DirectoryEntry {
  shm::Rule rule;
  std::vector<std::string> servers;  // empty: all

  bool covers(std::string_view server) const;
};

struct HubConfig {
  ListenAddress listen;
  std::string listen_place;  // "file:line:column: " where the file gives it, else empty
  std::vector<std::string> hosts;
  bool behind_proxy = false;
  std::uint64_t max_connections = 16384;             // one that waits for work holds one
  std::uint64_t max_connections_per_source = 12288;  // common/peer_source.h; a proxy is one source
  std::vector<Server> servers;
  std::vector<User> users;
  std::vector<ScraperKey> scraper_keys;
  std::optional<TlsFiles> tls;
  std::vector<DirectoryEntry> directories;
  std::vector<std::string> warnings;  // worth a line in the log, no reason to refuse

  /// The rules that `server` gets, with their version.
  shm::Rules rules_for(const Server& server) const;
};

/// Reads and checks FILE and its drop-ins, `more_drop_ins` last. `more_servers` are added unless the
/// file names them. Errors: the first thing that is wrong, as `file:line:column: message`.
shm::Result<HubConfig> load_hub_config(const std::string& path, const std::vector<Server>& more_servers,
                                       const std::vector<std::string>& more_drop_ins = {});

/// The same for a text without drop-ins.
shm::Result<HubConfig> parse_hub_config(std::string_view text, const std::string& name,
                                        const std::vector<Server>& more_servers);

/// What counts without a file: `more_servers`, and the pattern `*` for both kinds.
HubConfig default_hub_config(const std::vector<Server>& more_servers);

/// "127.0.0.1:4000", "[::1]:0", "localhost:4000". Error: invalid.
shm::Result<ListenAddress> parse_listen_address(std::string_view text);

/// "NAME=TRIPCODE". Error: invalid.
shm::Result<Server> parse_server_flag(std::string_view text);

/// Why `config` must not be served at `address`: what it guards would go over the network in the
/// clear, or to everybody. Ok on loopback, behind a proxy, and with users and TLS.
shm::Status check_servable(const HubConfig& config, const ListenAddress& address);

}  // namespace mayfly::hubd
