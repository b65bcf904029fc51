#include "hubd/hub_config.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "common/quota_document.h"
#include "common/tripcode.h"
#include "common/units.h"
#include "hubd/hub_keys.h"
#include "hubd/hub_sections.h"

namespace mayfly::hubd {
namespace {

using shm::Errc;
using shm::Error;
using shm::Result;
using shm::Status;

constexpr std::size_t kMaxServers = 65536;

void add_servers(const std::vector<Server>& more, HubConfig& config) {
  for (const Server& server : more) {
    const auto named = [&](const Server& other) { return other.name == server.name; };
    if (std::none_of(config.servers.begin(), config.servers.end(), named)) config.servers.push_back(server);
  }
}

/// Lower-case letters, digits, `.`, `-`, `_`, or a bracketed IPv6 address; without a port.
bool valid_host_name(std::string_view host) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
  };
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  return !host.empty() && host.size() <= 255 && std::all_of(host.begin(), host.end(), fits) &&
         (bracketed || host.find_first_of(":[]") == std::string_view::npos);
}

void read_listen(YamlMap& map, HubConfig& config) {
  std::string text;
  map.text("listen", text);
  if (!map.ok() || !map.has("listen")) return;
  const Result<ListenAddress> address = parse_listen_address(text);
  if (!address.ok()) return map.fail(map.place("listen"), "`listen`: " + address.error().text);
  config.listen = address.value();
  config.listen_place = map.place("listen").text() + ": ";
}

void read_hosts(YamlMap& map, HubConfig& config) {
  const std::vector<YamlValue>* items = map.list("hosts");
  map.texts("hosts", config.hosts);
  for (std::size_t i = 0; map.ok() && i < config.hosts.size(); ++i) {
    if (!valid_host_name(config.hosts[i])) map.fail((*items)[i].place, "not a host name (without a port)");
  }
}

void read_section(YamlMap& map, std::string_view key, HubConfig& config,
                  Status (*read)(const std::vector<YamlValue>&, HubConfig&)) {
  if (const std::vector<YamlValue>* items = map.list(key)) map.fail(read(*items, config));
}

/// What is allowed, and may well be a mistake.
void warn_of_openness(const YamlMap& map, HubConfig& config) {
  if (config.behind_proxy && !config.users.empty()) {
    config.warnings.push_back(
        map.place("users").text() +
        ": with `behind_proxy: true` nobody logs in; the proxy's readers have every right");
  } else if (!config.behind_proxy && config.users.empty() && !config.hosts.empty()) {
    config.warnings.push_back(map.place("hosts").text() +
                              ": without `users` whoever reaches this hub, also through a proxy, may read "
                              "everything");
  }
}

Result<HubConfig> read_hub_config(const YamlFile& file, const std::vector<Server>& more_servers) {
  HubConfig config;
  YamlMap map(file.root, kHubTable);
  read_listen(map, config);
  read_hosts(map, config);
  map.flag("behind_proxy", config.behind_proxy);
  map.integer("max_connections", config.max_connections, 1, 1'000'000);
  // Behind a proxy all come from one address.
  if (config.behind_proxy) config.max_connections_per_source = config.max_connections;
  map.integer("max_connections_per_source", config.max_connections_per_source, 1, 1'000'000);
  read_section(map, "servers", config, read_servers);
  if (config.servers.size() > kMaxServers) map.fail(map.place("servers"), "more than 65536 servers");
  add_servers(more_servers, config);
  read_section(map, "users", config, read_users);
  read_section(map, "scraper_keys", config, read_scraper_keys);
  if (const YamlValue* tls = map.map("tls")) map.fail(read_tls(*tls, config));
  read_section(map, "directories", config, read_directories);
  if (!map.ok()) return map.status().error();
  warn_of_openness(map, config);
  return config;
}

}  // namespace

std::string ListenAddress::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool ListenAddress::is_loopback() const {
  if (host == "localhost") return true;
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool DirectoryEntry::covers(std::string_view server) const {
  return servers.empty() || std::find(servers.begin(), servers.end(), server) != servers.end();
}

shm::Rules HubConfig::rules_for(const Server& server) const {
  shm::Rules rules;
  rules.paused = server.paused;
  for (const DirectoryEntry& entry : directories) {
    if (entry.covers(server.name)) rules.rules.push_back(entry.rule);
  }
  rules.version = quota_version(rules);
  return rules;
}

Result<HubConfig> load_hub_config(const std::string& path, const std::vector<Server>& more_servers,
                                  const std::vector<std::string>& more_drop_ins) {
  const Result<YamlFile> file = load_yaml_file(path, more_drop_ins);
  if (!file.ok()) return file.error();
  return read_hub_config(file.value(), more_servers);
}

Result<HubConfig> parse_hub_config(std::string_view text, const std::string& name,
                                   const std::vector<Server>& more_servers) {
  const Result<YamlFile> file = parse_yaml_text(text, name);
  if (!file.ok()) return file.error();
  return read_hub_config(file.value(), more_servers);
}

HubConfig default_hub_config(const std::vector<Server>& more_servers) {
  HubConfig config;
  add_servers(more_servers, config);
  for (const shm::Kind kind : {shm::Kind::log, shm::Kind::status}) {
    DirectoryEntry entry;
    entry.rule.kind = kind;
    entry.rule.pattern = true;
    entry.rule.name = "*";
    config.directories.push_back(entry);
  }
  return config;
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const Error bad{Errc::invalid, "`" + std::string(text) + "` is not ADDRESS:PORT, such as 127.0.0.1:4000"};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad;
  ListenAddress address;
  address.host = text.substr(0, colon);
  const bool bracketed = address.host.starts_with('[') && address.host.ends_with(']');
  if (bracketed) address.host = address.host.substr(1, address.host.size() - 2);
  in6_addr bytes{};
  const int family = bracketed ? AF_INET6 : AF_INET;
  const bool local_name = !bracketed && address.host == "localhost";
  if (!local_name && inet_pton(family, address.host.c_str(), &bytes) != 1) return bad;
  const Result<std::uint64_t> port = parse_integer(text.substr(colon + 1));
  if (!port.ok() || port.value() > 65535) return bad;
  address.port = static_cast<std::uint16_t>(port.value());
  return address;
}

Result<Server> parse_server_flag(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) {
    return Error{Errc::invalid, "`" + std::string(text) + "` is not NAME=TRIPCODE"};
  }
  Server server;
  server.name = text.substr(0, equals);
  server.display_name = server.name;
  if (!shm::valid_directory_name(server.name)) {
    return Error{Errc::invalid, "`" + server.name + "` is not a server's name"};
  }
  const std::optional<Blake3Hash> hash = parse_tripcode(text.substr(equals + 1));
  if (!hash) return Error{Errc::invalid, "the tripcode of `" + server.name + "` is not one"};
  if (is_well_known_password(*hash)) {
    return Error{Errc::invalid, "the tripcode of `" + server.name + "` is that of a well-known password"};
  }
  server.key_hash = *hash;
  return server;
}

Status check_servable(const HubConfig& config, const ListenAddress& address) {
  if (address.is_loopback() || config.behind_proxy) return {};
  const std::string place = address == config.listen ? config.listen_place : "";
  const std::string where = place + "listening on " + address.text() + ", beyond loopback";
  if (config.users.empty()) {
    return Error{Errc::invalid, where +
                                    ", needs `users` (and `tls`), or `behind_proxy: true` where a proxy says "
                                    "who may come"};
  }
  if (!config.tls) {
    return Error{Errc::invalid, where +
                                    ", needs `tls`, or passwords would go over the network in the clear; or "
                                    "listen on loopback behind a proxy that ends TLS"};
  }
  return {};
}

}  // namespace mayfly::hubd
