// From the text of one YAML file to a tree of YamlValue. Internal to yaml_file.cpp and its tests.
#pragma once

#include <memory>
#include <string>

#include "common/yaml_file.h"

namespace mayfly {

/// Parses one document, refusing what yaml_file.h says is refused in any file.
shm::Result<YamlValue> parse_yaml_tree(const std::string& text,
                                       const std::shared_ptr<const YamlSource>& source);

}  // namespace mayfly
