#include "supervisor/host.h"

#include <unistd.h>

#include <climits>

#include "common/key_file.h"
#include "common/tripcode.h"
#include "common/yaml_file.h"
#include "shm/quotas.h"

namespace mayfly::supervisor {

using shm::Errc;
using shm::Error;
using shm::Result;

namespace {

const YamlValue* find_key(const YamlFile& file, std::string_view key) {
  for (const auto& entry : file.root.entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

}  // namespace

std::string local_server_name() {
  char name[HOST_NAME_MAX + 1] = {};
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
  std::string text = std::string(name).substr(0, shm::kMaxNameBytes);
  for (char& c : text) {
    const bool allowed = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                         c == '.' || c == '_' || c == '-';
    if (!allowed) c = '-';
  }
  if (text[0] == '.' || text[0] == '-') text[0] = '_';
  return text;
}

Result<HostIdentity> load_host_identity(const std::string& config, const std::string& key_path) {
  HostIdentity identity;
  std::string key;
  if (!config.empty()) {
    auto file = load_yaml_file(config);
    if (!file) return file.error();
    if (const auto* name = find_key(file.value(), "name")) {
      identity.name = name->text;
      identity.name_in_config = true;
    }
    identity.hub_in_config =
        find_key(file.value(), "hub_url") != nullptr || find_key(file.value(), "quota_url") != nullptr;
    if (const auto* inline_key = find_key(file.value(), "api_key")) {
      if (auto closed = require_private(*inline_key); !closed) return closed.error();
      if (auto checked = check_key(inline_key->text); !checked) {
        return checked.error().in(inline_key->place.text());
      }
      key = inline_key->text;
    } else if (const auto* path = find_key(file.value(), "api_key_file")) {
      auto read = read_or_make_key_file(path->text);
      if (!read) return Error{Errc::invalid, path->place.text() + ": " + read.error().text};
      key = read.value().key;
    }
  }
  if (identity.name.empty()) identity.name = local_server_name();
  if (key.empty()) {
    auto made = read_or_make_key_file(key_path);
    if (!made) return made.error();
    key = made.value().key;
    identity.key_file = key_path;
  }
  identity.tripcode = tripcode(key);
  return identity;
}

}  // namespace mayfly::supervisor
