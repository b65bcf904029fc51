// Configuration files: any bytes end in a tree or in an error that names its place.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/yaml_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = mayfly::parse_yaml_text({reinterpret_cast<const char*>(data), size}, "input");
  if (!file.ok() && file.error().text.rfind("input:", 0) != 0) std::abort();
  return 0;
}
