// `mayfly up`, before and after its loop: directory, lock, predecessor, identity, sockets; cleaning up.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <exception>

#include "common/daemon.h"
#include "common/program_path.h"
#include "common/runtime_dir.h"
#include "supervisor/host.h"
#include "supervisor/lock.h"
#include "supervisor/programs.h"
#include "supervisor/supervisor.h"
#include "supervisor/takeover.h"

namespace mayfly::supervisor {

using shm::Errc;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kLockPatience{1000};         // for a supervisor that is being killed
constexpr milliseconds kStoppingPatience{8000};     // for one that is stopping
constexpr milliseconds kPredecessorPatience{3000};  // for the daemons of a killed one
constexpr milliseconds kNoHubPatience{300};
constexpr milliseconds kBindPatience{2000};  // for ports that such daemons still hold

int exit_code_of(const shm::Error& error) {
  switch (error.code) {
    case Errc::untrusted:
    case Errc::not_memory_backed:
    case Errc::invalid:
    case Errc::not_found:
      return kExitUsage;
    default:
      return kExitFailed;
  }
}

int fail(const shm::Error& error) {
  spdlog::error("{}", error.text);
  return exit_code_of(error);
}

void warn_about(const UpOptions& options, const HostIdentity& identity) {
  if (!is_off_disk(options.runtime_dir)) {
    spdlog::warn("swap is active: stored data may reach a disk; `mayfly doctor` says what to change");
  }
  if (embeds_hub(options) && identity.hub_in_config) {
    spdlog::warn("{} names a hub, but the embedded one is used; add --no-hub to use the other",
                 options.config);
  }
  if (!embeds_hub(options) && !identity.key_file.empty()) {
    spdlog::info("the hub must know this host: name {}, tripcode {}", identity.name, identity.tripcode);
  }
}

// What a clean stop leaves is the data alone, and this host's key.
void remove_traces(const RuntimePaths& paths) {
  for (const auto& path : {paths.info, paths.ingest_socket, paths.relay_socket, paths.notify_socket}) {
    ::unlink(path.c_str());
  }
}

// True when a predecessor was killed here, and its daemons may still be dying.
bool clear_up_after_predecessor(const RuntimePaths& paths) {
  const auto info = read_runtime_info(paths.directory);
  if (!info) return false;
  if (!await_predecessors(info.value(), kPredecessorPatience)) {
    spdlog::warn("a daemon of the supervisor before us is still there");
  }
  return true;
}

// Said before anything is opened: a hub of its own package may not be installed.
shm::Status check_hub_is_there(const UpOptions& options) {
  if (!embeds_hub(options)) return {};
  const std::string path = program_path("hubd");
  if (::access(path.c_str(), X_OK) == 0) return {};
  return shm::Error{
      Errc::not_found,
      "there is no " + path +
          ": install the package mayfly-hub, or name a hub elsewhere with --hub-url, or say --no-hub"};
}

int run_in(UpOptions options, const RuntimePaths& paths, RuntimeLock lock, Notifier own_notifier) {
  if (auto there = check_hub_is_there(options); !there) return fail(there.error());
  const bool had_predecessor = clear_up_after_predecessor(paths);
  auto identity = load_host_identity(options.config, paths.host_key);
  if (!identity) return fail(identity.error());
  auto listeners = open_listeners(options, paths, had_predecessor ? kBindPatience : milliseconds(0));
  if (!listeners) return fail(listeners.error());
  auto notify = NotifySocket::open(paths.notify_socket);
  if (!notify) return fail(notify.error());
  warn_about(options, identity.value());
  // Where no hub is known, there is nothing to wait for but rules that an earlier one left.
  if (!embeds_hub(options) && options.hub_url.empty() && !identity.value().hub_in_config) {
    options.serving_wait = std::min(options.serving_wait, kNoHubPatience);
  }
  Supervisor supervisor(options,
                        {paths, std::move(lock), std::move(notify.value()),
                         make_programs(options, paths, identity.value(), listeners.value()),
                         make_info(options, identity.value(), listeners.value()), std::move(own_notifier)});
  const int exit_code = supervisor.run();
  // Before the lock goes, or a successor's files would be removed.
  remove_traces(paths);
  return exit_code;
}

}  // namespace

int run_up(const UpOptions& options) {
  try {
    if (auto hardened = harden_process(); !hardened) return fail(hardened.error());
    raise_file_limit();
    auto own_notifier = Notifier::from_environment();
    if (auto prepared = prepare_runtime_dir(options.runtime_dir); !prepared) return fail(prepared.error());
    const RuntimePaths paths(options.runtime_dir);
    auto lock = RuntimeLock::acquire(paths.lock, kLockPatience, kStoppingPatience);
    if (!lock) {
      if (lock.error().code != Errc::busy) return fail(lock.error());
      spdlog::error(
          "mayfly is up already in {} ({}); `mayfly down` stops it, --runtime-dir takes another place",
          paths.directory, lock.error().text);
      return kExitFailed;
    }
    return run_in(options, paths, std::move(lock.value()), std::move(own_notifier));
  } catch (const std::exception& error) {
    spdlog::error("{}", error.what());
    return kExitFailed;
  }
}

}  // namespace mayfly::supervisor
