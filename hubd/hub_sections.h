// The sections of the hub's file, one reader each. Internal to hub_config.cpp and its siblings.
//
// Each reads the whole list of `value`, appends to `config`, and returns the first error with its
// place.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/yaml_file.h"
#include "hubd/hub_config.h"

namespace mayfly::hubd {

shm::Status read_servers(const std::vector<YamlValue>& items, HubConfig& config);
shm::Status read_users(const std::vector<YamlValue>& items, HubConfig& config);
shm::Status read_scraper_keys(const std::vector<YamlValue>& items, HubConfig& config);
shm::Status read_tls(const YamlValue& value, HubConfig& config);
/// After the servers, which entries may name.
shm::Status read_directories(const std::vector<YamlValue>& items, HubConfig& config);

/// Reads a required `key` that is a name, and refuses one that is in `seen` already.
void read_name(YamlMap& map, std::string_view key, std::set<std::string>& seen, std::string& out);
/// Reads a required tripcode; those of well-known passwords are refused.
void read_tripcode(YamlMap& map, std::string_view key, Blake3Hash& out);

}  // namespace mayfly::hubd
