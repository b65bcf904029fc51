// What ingestd is told at its start: command line, then configuration file, then defaults.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "common/memory_lock.h"
#include "common/yaml_file.h"
#include "ingestd/shared.h"
#include "shm/result.h"

namespace mayfly::ingestd {

/// `none` as an address or path: no such listener.
inline constexpr std::string_view kNoListener = "none";

inline constexpr std::uint64_t kMinMemory = 1ull << 20;  // of a data segment

struct Options {
  std::string runtime_dir;
  std::string peer_dir;  // relayd's runtime directory, where it is another; runtime_dir is ours alone then
  std::uint64_t memory = 0;  // 0: by what the runtime directory has free
  std::uint32_t workers = 0;
  std::string ingest = "127.0.0.1:4717";
  std::string redis = "127.0.0.1:4718";
  std::string ingest_unix;  // empty: ingest.sock in the runtime directory
  unsigned unix_mode = 0660;
  std::string unix_group;
  std::string log_level = "info";
  MemoryLock lock_memory = MemoryLock::automatic;
  bool allow_swap = true;
  Limits limits;
};

/// What main is to do: go on with the options, or end with a code after printing `text`.
struct ParsedOptions {
  Options options;
  std::optional<int> exit_code;
  std::string text;  // for standard output where the code is 0, else for standard error
};

/// Never throws. Wrong usage or configuration: exit code 2.
ParsedOptions parse_options(int argc, const char* const* argv);

/// The keys of the configuration file, for the reference.
const ConfigTable& config_table();

/// 256 MiB, or half of what is free in `directory` and within this process's memory limit, whichever
/// is less; the size of the segment at `segment_path` where there is one already.
std::uint64_t default_memory(const std::string& directory, const std::string& segment_path);

/// At most `wanted`, and so few that the file limit leaves room for everything else.
std::uint64_t connection_limit(std::uint64_t wanted, std::uint64_t file_limit);

}  // namespace mayfly::ingestd
