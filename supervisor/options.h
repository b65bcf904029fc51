// What `mayfly up` and `mayfly down` were asked to do. Plain values, filled by the command line.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace mayfly::supervisor {

/// A port: nothing is "none" (open no socket), 0 takes any free one.
using Port = std::optional<std::uint16_t>;

struct UpOptions {
  std::string runtime_dir;  // as common/runtime_dir.h chose it
  std::string config;       // the host's file; empty: none
  std::string hub_config;   // the hub's file; empty: none
  std::string hub_url;      // a hub elsewhere; implies no embedded one
  std::string memory;       // as given; empty: ingestd's default
  Port ingest_port = 4717;
  Port redis_port = 4718;
  Port relay_port = 4719;
  Port hub_port = 4000;
  std::uint32_t workers = 0;  // 0: ingestd's default
  bool demo = true;
  bool hub = true;
  bool json = false;

  unsigned socket_mode = 0660;                // of ingest.sock and relay.sock
  std::optional<std::uint32_t> socket_group;  // gid; unset: the process's

  // Times. The defaults are for people; tests shorten them.
  std::chrono::milliseconds watchdog{10'000};     // a daemon silent for so long hangs
  std::chrono::milliseconds start_limit{30'000};  // from exec to READY=1
  std::chrono::milliseconds stop_limit{3'000};    // from SIGTERM to SIGKILL
  std::chrono::milliseconds backoff_first{100};   // before the second restart in a row
  std::chrono::milliseconds backoff_max{2'000};
  std::chrono::milliseconds healthy_after{10'000};  // up for so long: the next restart is a first one
  std::chrono::milliseconds serving_wait{5'000};    // for quotas, before the ready line
};

struct DownOptions {
  std::string runtime_dir;
  bool purge = false;
  bool json = false;
};

/// Exit codes of every command (contract, section 6).
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

/// Runs until SIGTERM or SIGINT. Errors are told on standard error. To be called from a process
/// with one thread; blocks and ignores signals of its own accord.
int run_up(const UpOptions& options);

/// Stops the supervisor of a runtime directory, from anywhere.
int run_down(const DownOptions& options);

}  // namespace mayfly::supervisor
