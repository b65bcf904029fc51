// What the answers of Loki's API have in common. Internal to loki_answer*.cpp.
#pragma once

#include <string>
#include <string_view>

#include "common/loki_answer.h"

namespace mayfly::loki {

/// How every answer begins; append_end() closes it.
inline constexpr std::string_view kSuccess = R"({"status":"success","data":)";

/// `"stats":{...}`
void append_stats(std::string& out, const Stats& stats);
void append_end(std::string& out, const Warnings& warnings);

}  // namespace mayfly::loki
