#include "common/log_output.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>

namespace mayfly {
namespace {

constexpr std::array<std::string_view, 7> kLevels = {"trace", "debug",    "info", "warning",
                                                     "error", "critical", "off"};

}  // namespace

bool valid_log_level(std::string_view level) {
  return std::find(kLevels.begin(), kLevels.end(), level) != kLevels.end();
}

bool init_log_output(std::string_view program, std::string_view level) {
  auto logger = std::make_shared<spdlog::logger>(std::string(program),
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %n[%P] %l: %v", spdlog::pattern_time_type::utc);
  logger->flush_on(spdlog::level::trace);
  const bool known = valid_log_level(level);
  logger->set_level(known ? spdlog::level::from_str(std::string(level)) : spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  return known;
}

}  // namespace mayfly
