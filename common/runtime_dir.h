// The runtime directory: where a host's segments, sockets and mayfly.json live (contract, section 1).
// Memory-backed, ours, not a symlink, not writable for others, or refused.
//
// Thread safety: free functions without state.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "shm/result.h"

namespace mayfly {

/// Every name in a runtime directory. Nothing else is ever made or removed there.
struct RuntimePaths {
  explicit RuntimePaths(const std::string& directory);

  std::string directory;      // 0755
  std::string segments;       // 0750
  std::string data;           // 0640, in segments/
  std::string control;        // 0640, in segments/
  std::string info;           // mayfly.json, 0644
  std::string lock;           // held by the supervisor for its life
  std::string ingest_socket;  // ingest.sock
  std::string relay_socket;   // relay.sock
  std::string notify_socket;  // where the daemons tell the supervisor that they are alive, 0600
  std::string host_key;       // this host's key for the embedded hub, 0600
};

/// `flag` if not empty, else the first entry of $RUNTIME_DIRECTORY, else /dev/shm/mayfly-<uid>.
/// Made absolute; symlinks are not resolved.
std::string choose_runtime_dir(const std::string& flag);

/// What a path lies on.
struct Backing {
  std::string filesystem;  // "tmpfs", "ramfs", "hugetlbfs", or "0x…" of anything else
  bool memory_backed = false;
  bool swappable = true;  // false on ramfs, hugetlbfs and a noswap tmpfs
};

/// Errors: not_found, io.
shm::Result<Backing> backing_of(const std::string& path);

/// True where the kernel has a swap area in use (/proc/swaps).
bool swap_active();

/// True when nothing that is kept under `path` can reach a disk.
bool is_off_disk(const std::string& path);

/// Whether what is kept under `path` may reach a disk, and what to change: ok where it cannot; where it can,
/// a warning in the log output if `allow_swap`, else an error. Errors: invalid.
shm::Status check_off_disk(const std::string& path, bool allow_swap);

/// Creates the directory (0755) and its segments/ (0750) where they are missing, then checks them.
/// Errors: not_memory_backed, untrusted, invalid (a path too long for its sockets), io.
shm::Status prepare_runtime_dir(const std::string& directory);

/// The checks alone. Errors: not_found, not_memory_backed, untrusted, io.
shm::Status check_runtime_dir(const std::string& directory);

/// mayfly.json: replaced as a whole (temporary file, rename), 0644. Errors: io.
shm::Status write_runtime_info(const std::string& directory, const nlohmann::ordered_json& info);

/// Errors: not_found, corrupt (not one JSON object), untrusted (writable for others, or not its directory's
/// owner's), io.
shm::Result<nlohmann::ordered_json> read_runtime_info(const std::string& directory);

}  // namespace mayfly
