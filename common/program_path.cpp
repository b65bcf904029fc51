#include "common/program_path.h"

#include <unistd.h>

#include <filesystem>
#include <system_error>

namespace mayfly {

std::string program_path(const std::string& name) {
  std::error_code none;
  const auto directory = std::filesystem::read_symlink("/proc/self/exe", none).parent_path();
  const std::string beside = (directory / name).string();
  const std::string sbin = (directory.parent_path() / "sbin" / name).string();
  return ::access(beside.c_str(), X_OK) != 0 && ::access(sbin.c_str(), X_OK) == 0 ? sbin : beside;
}

}  // namespace mayfly
