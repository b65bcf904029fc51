// Every key that the hub's file may hold. The one list: the reader refuses what is not in it, and a
// test compares it with docs/configuration.md.
#pragma once

#include <span>

#include "common/yaml_file.h"

namespace mayfly::hubd {

extern const ConfigTable kHubTable;
extern const ConfigTable kServerTable;
extern const ConfigTable kUserTable;
extern const ConfigTable kScraperKeyTable;
extern const ConfigTable kRightTable;
extern const ConfigTable kTlsTable;
extern const ConfigTable kDirectoryTable;

/// All of them, for the reference.
std::span<const ConfigTable* const> hub_config_tables();

}  // namespace mayfly::hubd
