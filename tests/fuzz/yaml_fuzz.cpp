// Configuration files: any bytes end in a tree or in an error that names its place.
#include "common/yaml_file.h"
#include "tests/fuzz/target.h"

namespace mayfly::fuzz::yaml {

void run(std::string_view input) {
  const auto file = parse_yaml_text(input, "input");
  require(file.ok() || file.error().text.starts_with("input:"), "an error names its place");
}

}  // namespace mayfly::fuzz::yaml

MAYFLY_FUZZ_TARGET(yaml, mayfly::fuzz::yaml::run)
