// `mayfly down`: ends the supervisor that holds the runtime directory's lock.
#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "common/runtime_dir.h"
#include "supervisor/events.h"
#include "supervisor/fd.h"
#include "supervisor/lock.h"
#include "supervisor/options.h"
#include "supervisor/pidfd.h"
#include "supervisor/takeover.h"

namespace mayfly::supervisor {

using shm::Errc;
using shm::Error;
using shm::os_error;
using shm::Result;
using shm::Status;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kPatience{7000};  // the supervisor promises 5 s
constexpr milliseconds kAfterKill{3000};

// The pid that was stopped; nothing when there was none to stop.
Result<std::optional<pid_t>> stop_holder(const RuntimePaths& paths) {
  const auto holder = lock_holder(paths.lock);
  if (!holder) return holder.error();
  if (!holder.value()) return std::optional<pid_t>();
  const pid_t pid = *holder.value();
  if (pid <= 0) return Error{Errc::io, "the supervisor runs in another pid namespace; stop it from there"};
  const Fd pidfd = open_process(pid);
  if (!pidfd && errno != ESRCH) return os_error(Errc::io, "opening process " + std::to_string(pid), errno);
  const auto again = lock_holder(paths.lock);
  if (!again) return again.error();
  // Gone meanwhile, or the number was reused: asked after open_process, the answer is about the pidfd.
  if (!pidfd || again.value() != holder.value()) return std::optional<pid_t>(pid);
  const auto info = read_runtime_info(paths.directory);
  if (!signal_process(pidfd, SIGTERM) && errno != ESRCH) {
    return os_error(Errc::io, "stopping process " + std::to_string(pid), errno);
  }
  if (!ended_within(pidfd, kPatience)) {
    spdlog::warn("the supervisor ({}) does not end; killing it", pid);
    signal_process(pidfd, SIGKILL);
    if (!ended_within(pidfd, kAfterKill)) return Error{Errc::io, "process " + std::to_string(pid) + " stays"};
    if (info && !await_predecessors(info.value(), kAfterKill)) return Error{Errc::io, "a daemon stays"};
  }
  return std::optional<pid_t>(pid);
}

// Removes what Mayfly makes in a runtime directory, and nothing else.
Status purge(const RuntimePaths& paths) {
  auto lock = RuntimeLock::acquire(paths.lock, milliseconds(1000), milliseconds(1000));
  if (!lock) return lock.error().in("locking " + paths.directory);
  std::error_code error;
  if (std::filesystem::is_directory(std::filesystem::symlink_status(paths.segments, error))) {
    std::filesystem::remove_all(paths.segments, error);
    if (error) return os_error(Errc::io, "removing " + paths.segments, error.value());
  }
  for (const auto& path : {paths.info, paths.info + ".new", paths.ingest_socket, paths.relay_socket,
                           paths.notify_socket, paths.host_key, paths.host_key + ".new", paths.lock}) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return os_error(Errc::io, "removing " + path, errno);
  }
  // Stays where somebody else's files are in it, or where it is not ours to remove (systemd).
  if (::rmdir(paths.directory.c_str()) != 0) spdlog::info("{} itself stays", paths.directory);
  return {};
}

void report(const DownOptions& options, const std::optional<pid_t>& pid) {
  if (options.json) {
    auto event = make_event("stopped");
    event["runtime_dir"] = options.runtime_dir;
    event["pid"] = pid ? nlohmann::ordered_json(*pid) : nlohmann::ordered_json(nullptr);
    event["purged"] = options.purge;
    std::printf("%s\n", event.dump().c_str());
    return;
  }
  if (pid) std::printf("stopped (process %d)\n", *pid);
  if (options.purge) std::printf("removed what was in %s\n", options.runtime_dir.c_str());
}

int fail(const Error& error) {
  spdlog::error("{}", error.text);
  return error.code == Errc::untrusted || error.code == Errc::not_memory_backed ? kExitUsage : kExitFailed;
}

}  // namespace

int run_down(const DownOptions& options) {
  const RuntimePaths paths(options.runtime_dir);
  if (auto checked = check_runtime_dir(paths.directory); !checked) {
    if (checked.error().code != Errc::not_found) return fail(checked.error());
    if (!options.purge) return fail({Errc::not_found, "nothing is up in " + paths.directory});
    report(options, std::nullopt);
    return kExitOk;
  }
  auto stopped = stop_holder(paths);
  if (!stopped) return fail(stopped.error());
  if (!stopped.value() && !options.purge)
    return fail({Errc::not_found, "nothing is up in " + paths.directory});
  if (options.purge) {
    if (auto purged = purge(paths); !purged) return fail(purged.error());
  }
  report(options, stopped.value());
  return kExitOk;
}

}  // namespace mayfly::supervisor
