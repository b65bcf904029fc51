#include "relayd/relay_config.h"

#include <grp.h>
#include <unistd.h>

#include <charconv>

#include "common/http_client.h"
#include "common/key_file.h"
#include "common/text.h"
#include "shm/quotas.h"

namespace mayfly::relayd {
namespace {

constexpr ConfigKey kHostKeys[] = {
    {"peer_dir", "path", "the same", "ingestd's runtime directory, where that is another."},
    {"name", "name", "the host name", "This host's name at the hub."},
    {"api_key", "text", "none", "This host's key; the file must be ours with mode 0600 then."},
    {"api_key_file", "path", "none",
     "A file that holds the key on one line; ours, mode 0600. Made, with a random key, where there is none."},
    {"hub_url", "url", "none", "The hub; https, or http on this host."},
    {"tunnel_url", "url", "`hub_url` + `/7ZSFUKGV`",
     "Where the tunnel goes, if elsewhere; ends in /7ZSFUKGV."},
    {"quota_url", "url", "`hub_url` + `/mayfly/v1/quotas/` + `name`",
     "The whole address of the quota document, if elsewhere."},
    {"hub_ca", "path", "the system's authorities",
     "PEM file: who may have signed the certificates of these three, such as a hub's own certificate."},
    {"listen", "address", "127.0.0.1:4719", "Where the read API listens; `none`: not by TCP."},
    {"listen_unix", "path", "relay.sock in the runtime directory",
     "The read API's unix socket; `none`: none."},
    {"socket_mode", "octal", "0660", "Mode of the unix socket."},
    {"socket_group", "group", "the process's", "Group of the unix socket."},
    {"hosts", "list of text", "none",
     "Host names to answer to, besides loopback names and the listener's own address."},
    {"max_connections", "integer", "1280", "Connections open at a time; a tail or a page holds one."},
    {"max_connections_per_source", "integer", "1024",
     "Of these, from one address (IPv6: one /64), or by one user's processes on the unix socket."},
};
constexpr ConfigTable kHostTable{"host", kHostKeys};

shm::Error invalid_setting(const std::string& text) { return {shm::Errc::invalid, text}; }

shm::Result<RelayAddress> parse_address(const std::string& text) {
  RelayAddress address;
  const std::size_t colon = text.rfind(':');
  const bool bare_port = colon == std::string::npos;
  if (!bare_port) address.host = text.substr(0, colon);
  if (address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']') {
    address.host = address.host.substr(1, address.host.size() - 2);
  }
  const auto port = parse_u64(bare_port ? text : text.substr(colon + 1));
  if (!port || *port > 65535 || address.host.empty())
    return invalid_setting("\"" + text + "\" is not ADDRESS:PORT");
  address.port = static_cast<std::uint16_t>(*port);
  return address;
}

shm::Result<unsigned> parse_mode(const std::string& text) {
  unsigned mode = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || mode > 0777) {
    return invalid_setting("\"" + text + "\" is not an octal file mode");
  }
  return mode;
}

shm::Result<unsigned> find_group(const std::string& name) {
  if (const auto number = parse_u64(name); number && *number < UINT32_MAX)
    return static_cast<unsigned>(*number);
  const struct group* found = getgrnam(name.c_str());
  if (found == nullptr) return invalid_setting("there is no group \"" + name + "\"");
  return static_cast<unsigned>(found->gr_gid);
}

shm::Status check_url(const std::string& url) {
  if (url.rfind("http://", 0) == 0 || url.rfind("https://", 0) == 0) return {};
  return invalid_setting("\"" + url + "\" is not an http or https address");
}

/// The addresses that follow from the hub's, where they are not given.
void complete_urls(std::string hub_url, RelayConfig& config) {
  while (!hub_url.empty() && hub_url.back() == '/') hub_url.pop_back();
  if (hub_url.empty()) return;
  if (config.tunnel_url.empty()) config.tunnel_url = hub_url + "/7ZSFUKGV";
  if (config.quota_url.empty() && !config.name.empty()) {
    config.quota_url = hub_url + "/mayfly/v1/quotas/" + percent_encode(config.name);
  }
}

/// One host's file on its way into a RelayConfig.
struct FileReader {
  YamlMap map;
  RelayConfig& config;
  std::string& hub_url;
  std::string& key_file;

  /// Runs `parse` on the text of `key`, if it is there, and keeps its error with the place.
  template <class Parse, class Take>
  void parsed(std::string_view key, Parse parse, Take take) {
    std::string text;
    if (!map.has(key)) return;
    map.text(key, text);
    if (!map.ok()) return;
    auto value = parse(text);
    if (!value.ok()) return map.fail(map.place(key), value.error().text);
    take(value.value());
  }

  void url(std::string_view key, std::string& out) {
    if (!map.has(key)) return;
    map.text(key, out);
    if (!map.ok()) return;
    if (const auto checked = check_url(out); !checked.ok()) map.fail(map.place(key), checked.error().text);
  }

  void keys() {
    map.text("api_key_file", key_file);
    const YamlValue* key = map.find("api_key");
    if (key == nullptr) return;
    if (!key_file.empty()) map.fail(key->place, "api_key and api_key_file exclude each other");
    map.text("api_key", config.api_key);
    if (const auto checked = check_key(config.api_key); !checked.ok())
      map.fail(key->place, checked.error().text);
    map.fail(require_private(*key));
  }

  void sockets() {
    std::string text;
    map.text("listen", text);
    if (text == "none") {
      config.listen.reset();
    } else {
      parsed("listen", parse_address, [&](const RelayAddress& address) { config.listen = address; });
    }
    std::string path;
    map.text("listen_unix", path);
    if (!path.empty()) config.listen_unix = path == "none" ? std::string() : path;
    parsed("socket_mode", parse_mode, [&](unsigned mode) { config.socket_mode = mode; });
    parsed("socket_group", find_group, [&](unsigned group) { config.socket_group = group; });
    map.texts("hosts", config.hosts);
    map.integer("max_connections", config.max_connections, 1, 1'000'000);
    map.integer("max_connections_per_source", config.max_connections_per_source, 1, 1'000'000);
  }

  void names() {
    map.text("peer_dir", config.peer_dir);
    map.text("name", config.name);
    url("hub_url", hub_url);
    url("tunnel_url", config.tunnel_url);
    url("quota_url", config.quota_url);
    map.text("hub_ca", config.hub_ca);
    if (!config.hub_ca.empty() && ::access(config.hub_ca.c_str(), R_OK) != 0) {
      map.fail(map.place("hub_ca"), "`hub_ca` cannot be read: " + config.hub_ca);
    }
    if (!map.ok() || config.tunnel_url.empty()) return;
    constexpr std::string_view kEnd = "/7ZSFUKGV";
    const std::string& tunnel = config.tunnel_url;
    if (tunnel.size() < kEnd.size() || tunnel.compare(tunnel.size() - kEnd.size(), kEnd.size(), kEnd) != 0) {
      map.fail(map.place("tunnel_url"), "a tunnel's address ends in /7ZSFUKGV");
    }
  }
};

shm::Status read_file(const std::string& path, RelayConfig& config, std::string& hub_url,
                      std::string& key_file) {
  const auto file = load_yaml_file(path);
  if (!file.ok()) return file.error();
  FileReader reader{YamlMap(file.value().root, kHostTable), config, hub_url, key_file};
  reader.names();
  reader.keys();
  reader.sockets();
  return reader.map.status();
}

shm::Status apply_listen_flags(const RelayFlags& flags, RelayConfig& config) {
  if (flags.relay == "none") {
    config.listen.reset();
  } else if (!flags.relay.empty()) {
    const auto address = parse_address(flags.relay);
    if (!address.ok()) return address.error().in("--relay");
    config.listen = address.value();
  }
  if (!flags.relay_unix.empty()) {
    config.listen_unix = flags.relay_unix == "none" ? std::string() : flags.relay_unix;
  }
  return {};
}

std::string own_host_name() {
  char name[256] = "";
  if (gethostname(name, sizeof(name) - 1) != 0) return "localhost";
  return name;
}

}  // namespace

shm::Result<RelayConfig> load_relay_config(const RelayFlags& flags) {
  RelayConfig config;
  std::string hub_url;
  std::string key_file;
  if (!flags.config.empty()) {
    if (auto read = read_file(flags.config, config, hub_url, key_file); !read.ok()) return read.error();
  }
  if (auto applied = apply_listen_flags(flags, config); !applied.ok()) return applied.error();
  if (!flags.hub_url.empty()) {
    if (auto checked = check_url(flags.hub_url); !checked.ok()) return checked.error().in("--hub-url");
    hub_url = flags.hub_url;
  }
  if (!flags.name.empty()) config.name = flags.name;
  if (!flags.peer_dir.empty()) config.peer_dir = flags.peer_dir;
  if (config.name.empty()) config.name = own_host_name();
  if (!shm::valid_directory_name(config.name)) {
    return invalid_setting("\"" + config.name + "\" cannot be a host's name: 1 to 128 of A-Z a-z 0-9 . _ -");
  }
  if (!flags.api_key_file.empty()) key_file = flags.api_key_file;
  if (!key_file.empty()) {
    auto key = read_or_make_key_file(key_file);
    if (!key.ok()) return key.error();
    config.api_key = key.value().key;
    if (key.value().made) config.made_key_file = key_file;
  }
  complete_urls(hub_url, config);
  for (const std::string& url : {config.quota_url, config.tunnel_url}) {
    if (url.empty() || config.api_key.empty() || may_carry_key(url)) continue;
    return invalid_setting(url + ": the key is sent over https only, or over http to this host itself");
  }
  return config;
}

std::span<const ConfigTable* const> relay_config_tables() {
  static constexpr const ConfigTable* kTables[] = {&kHostTable};
  return kTables;
}

}  // namespace mayfly::relayd
