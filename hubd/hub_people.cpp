// Who may come: servers, users, scraper keys; and the hub's own certificate.
#include <algorithm>
#include <cctype>

#include "common/password_hash.h"
#include "common/text.h"
#include "common/tripcode.h"
#include "hubd/hub_keys.h"
#include "hubd/hub_sections.h"

namespace mayfly::hubd {
namespace {

using shm::Status;

constexpr std::uint64_t kDayNs = 86400ull * 1000000000ull;
constexpr std::uint64_t kMaxKeyDays = 30;

/// A directory name's beginning: any text of a name's characters, also none.
bool valid_prefix(std::string_view prefix) {
  return prefix.empty() || (prefix.size() <= shm::kMaxNameBytes && shm::valid_directory_name(prefix));
}

Status read_right(const YamlValue& item, HubConfig& config, Right& out) {
  YamlMap map(item, kRightTable);
  map.require({"server", "prefix"});
  map.text("server", out.server);
  map.text("prefix", out.prefix);
  if (!map.ok()) return map.status();
  if (out.server != "*" && !shm::valid_directory_name(out.server)) {
    map.fail(map.place("server"), "`server` is a server's name or `*`");
  }
  if (!valid_prefix(out.prefix))
    map.fail(map.place("prefix"), "`prefix` is no beginning of a directory's name");
  const auto named = [&](const Server& server) { return server.name == out.server; };
  if (out.server != "*" && std::none_of(config.servers.begin(), config.servers.end(), named)) {
    config.warnings.push_back(map.place("server").text() + ": a right to `" + out.server +
                              "`, which is not among the servers");
  }
  return map.status();
}

void read_rights(YamlMap& map, HubConfig& config, std::vector<Right>& out) {
  const std::vector<YamlValue>* items = map.list("rights");
  if (items == nullptr) return;
  for (const YamlValue& item : *items) {
    Right right;
    map.fail(read_right(item, config, right));
    out.push_back(std::move(right));
  }
}

void read_time(YamlMap& map, std::string_view key, std::uint64_t& out) {
  std::string text;
  map.text(key, text);
  if (!map.ok()) return;
  const std::optional<std::uint64_t> time = parse_time(text);
  if (!time)
    return map.fail(map.place(key), "`" + std::string(key) + "` is not a time such as 2026-11-01T00:00:00Z");
  out = *time;
}

/// The outer form of a libcrypt hash: `$id$...`, printable, no blank and no colon.
bool looks_like_crypt_hash(std::string_view text) {
  const auto fits = [](char c) {
    return c > ' ' && c < 0x7F && c != ':' && c != ';' && c != '*' && c != '!' && c != '\\';
  };
  const std::size_t second = text.find('$', 1);
  return text.size() >= 13 && text.size() < 384 && text[0] == '$' && second != std::string_view::npos &&
         second > 1 && second + 1 < text.size() && std::all_of(text.begin(), text.end(), fits);
}

Status read_server(const YamlValue& item, std::set<std::string>& seen, Server& out) {
  YamlMap map(item, kServerTable);
  read_name(map, "name", seen, out.name);
  read_tripcode(map, "tripcode", out.key_hash);
  out.display_name = out.name;
  map.text("display_name", out.display_name);
  map.flag("paused", out.paused);
  return map.status();
}

Status read_user(const YamlValue& item, std::set<std::string>& seen, HubConfig& config, User& out) {
  YamlMap map(item, kUserTable);
  read_name(map, "name", seen, out.name);
  map.require({"password"});
  map.text("password", out.password);
  if (map.ok() && (!looks_like_crypt_hash(out.password) || !is_password_hash(out.password))) {
    map.fail(map.place("password"),
             "`password` is not a hash by libcrypt (`$y$...`); never write the password itself");
  }
  read_rights(map, config, out.rights);
  return map.status();
}

Status read_scraper_key(const YamlValue& item, std::set<std::string>& seen, HubConfig& config,
                        ScraperKey& out) {
  YamlMap map(item, kScraperKeyTable);
  read_name(map, "name", seen, out.name);
  read_tripcode(map, "hash", out.hash);
  map.require({"not_before", "not_after"});
  read_time(map, "not_before", out.not_before_ns);
  read_time(map, "not_after", out.not_after_ns);
  if (map.ok() && out.not_after_ns <= out.not_before_ns) {
    map.fail(map.place("not_after"), "`not_after` is not after `not_before`");
  }
  if (map.ok() && out.not_after_ns - out.not_before_ns > kMaxKeyDays * kDayNs) {
    map.fail(map.place("not_after"), "a scraper's key is valid for at most 30 days");
  }
  read_rights(map, config, out.rights);
  return map.status();
}

}  // namespace

void read_name(YamlMap& map, std::string_view key, std::set<std::string>& seen, std::string& out) {
  map.require({key});
  map.text(key, out);
  if (!map.ok()) return;
  if (!shm::valid_directory_name(out)) {
    return map.fail(
        map.place(key),
        "`" + std::string(key) + "` must be 1 to 128 of A-Z a-z 0-9 . _ -, the first one of A-Z a-z 0-9 _");
  }
  if (!seen.insert(out).second) map.fail(map.place(key), "duplicate name `" + out + "`");
}

void read_tripcode(YamlMap& map, std::string_view key, Blake3Hash& out) {
  std::string text;
  map.require({key});
  map.text(key, text);
  if (!map.ok()) return;
  const std::optional<Blake3Hash> hash = parse_tripcode(text);
  const std::string name = "`" + std::string(key) + "`";
  if (!hash) return map.fail(map.place(key), name + " is not a tripcode (base64 of 32 bytes)");
  if (is_well_known_password(*hash)) {
    return map.fail(map.place(key), name + " is that of a well-known password; make a random key");
  }
  out = *hash;
}

Status read_servers(const std::vector<YamlValue>& items, HubConfig& config) {
  std::set<std::string> seen;
  for (const YamlValue& item : items) {
    Server server;
    if (Status read = read_server(item, seen, server); !read.ok()) return read;
    config.servers.push_back(std::move(server));
  }
  return {};
}

Status read_users(const std::vector<YamlValue>& items, HubConfig& config) {
  std::set<std::string> seen;
  for (const YamlValue& item : items) {
    User user;
    if (Status read = read_user(item, seen, config, user); !read.ok()) return read;
    config.users.push_back(std::move(user));
  }
  return {};
}

Status read_scraper_keys(const std::vector<YamlValue>& items, HubConfig& config) {
  std::set<std::string> seen;
  for (const YamlValue& item : items) {
    ScraperKey key;
    if (Status read = read_scraper_key(item, seen, config, key); !read.ok()) return read;
    config.scraper_keys.push_back(std::move(key));
  }
  return {};
}

Status read_tls(const YamlValue& value, HubConfig& config) {
  TlsFiles files;
  files.place = value.place.text() + ": ";
  YamlMap map(value, kTlsTable);
  map.require({"certificate", "key"});
  map.text("certificate", files.certificate);
  map.text("key", files.key);
  if (map.ok()) config.tls = std::move(files);
  return map.status();
}

}  // namespace mayfly::hubd
