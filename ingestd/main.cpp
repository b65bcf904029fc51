// ingestd: takes records in over RESP and keeps them, within quotas, in a shared memory segment.
#include <signal.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>

#include "common/daemon.h"
#include "common/last_words.h"
#include "common/log_output.h"
#include "common/memory_limit.h"
#include "common/runtime_dir.h"
#include "common/units.h"
#include "ingestd/info_file.h"
#include "ingestd/options.h"
#include "ingestd/server.h"

namespace mayfly::ingestd {
namespace {

constexpr int kEnded = 0;
constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

// What is wrong with how we were started, as opposed to what went wrong.
int exit_code_of(const shm::Error& error) {
  switch (error.code) {
    case shm::Errc::not_memory_backed:
    case shm::Errc::untrusted:
    case shm::Errc::invalid:
      return kWrongUsage;
    default:
      return kFailed;
  }
}

int fail(const shm::Error& error) {
  spdlog::critical("{}", error.text);
  return exit_code_of(error);
}

shm::Status bind_missing(const Options& options, const RuntimePaths& paths, HandedSockets& handed,
                         Listeners& listeners) {
  const auto tcp = [&](const char* name, const char* flag, const std::string& address, Protocol protocol) {
    if (listeners.take(handed, name, protocol) || address == kNoListener) return shm::Status();
    const shm::Status bound = listeners.bind_tcp(address, protocol);
    return bound ? bound : shm::Status(bound.error().in(flag));
  };
  if (shm::Status bound = tcp("ingest", "--ingest", options.ingest, Protocol::native); !bound) return bound;
  if (shm::Status bound = tcp("redis", "--redis", options.redis, Protocol::redis); !bound) return bound;
  if (listeners.take(handed, "ingest-unix", Protocol::native) || options.ingest_unix == kNoListener)
    return {};
  const std::string path = options.ingest_unix.empty() ? paths.ingest_socket : options.ingest_unix;
  const shm::Status made =
      listeners.bind_unix({path, options.unix_mode, options.unix_group}, Protocol::native);
  return made ? made : shm::Status(made.error().in("--ingest-unix"));
}

void tell_report(const shm::OpenReport& report, const ServerOptions& wanted) {
  if (!report.set_aside.empty()) {
    spdlog::warn("the segment was unusable ({}) and is kept as {}", report.set_aside_reason,
                 report.set_aside);
  }
  if (report.size_differs) {
    spdlog::warn("the segment keeps its size of {} bytes, not {}", report.bytes, wanted.segment_bytes);
  }
  spdlog::info("segment {} of {} bytes, epoch {}, {} transactions rolled back",
               report.created ? "created" : "resumed", report.bytes, report.epoch, report.rolled_back);
}

ServerOptions server_options(const Options& options, const RuntimePaths& paths) {
  ServerOptions wanted;
  wanted.segment_path = paths.data;
  wanted.control_path = RuntimePaths(options.peer_dir.empty() ? paths.directory : options.peer_dir).control;
  wanted.segment_bytes = options.memory != 0 ? options.memory : default_memory(paths.directory, paths.data);
  wanted.workers = options.workers;
  wanted.limits = options.limits;
  Limits& limits = wanted.limits;
  const std::uint64_t possible = connection_limit(limits.max_connections, raise_file_limit());
  // Where the file limit allows fewer, one source shall not have them all either.
  if (possible < limits.max_connections) {
    limits.max_connections_per_source =
        std::min(limits.max_connections_per_source, std::max<std::uint64_t>(1, possible - possible / 6));
  }
  limits.max_connections = possible;
  return wanted;
}

// Whether a new segment can be had. It is charged to us page by page when it is made: better a
// message now than the kernel's kill.
shm::Status check_room(const ServerOptions& wanted) {
  if (std::filesystem::exists(wanted.segment_path)) return {};
  if (wanted.segment_bytes < kMinMemory) {
    return shm::Error{shm::Errc::no_space,
                      "next to nothing is free for " + wanted.segment_path +
                          "; enlarge the file system (mount -o remount,size=1G; docker run "
                          "--shm-size=1g), or name another with --runtime-dir"};
  }
  const auto limit = memory_limit();
  if (!limit || wanted.segment_bytes < *limit) return {};
  return shm::Error{shm::Errc::invalid,
                    "a segment of " + format_size_rounded(wanted.segment_bytes) +
                        " does not fit into this service's memory limit of " + format_size_rounded(*limit) +
                        "; raise the limit (MemoryMax=, docker run --memory), or lower `memory`"};
}

// What fills the place may be an unusable segment that was kept.
shm::Error hint_at_aside(shm::Error error, const std::string& segment_path) {
  const std::string aside = segment_path + ".aside";
  if (error.code == shm::Errc::no_space && std::filesystem::exists(aside)) {
    error.text += "; " + aside + " is an unusable segment kept from before: remove it if nobody needs it";
  }
  return error;
}

int serve(const Options& options) {
  if (shm::Status hardened = harden_process(); !hardened) return fail(hardened.error());
  if (shm::Status locked = lock_memory(options.lock_memory); !locked) return fail(locked.error());
  const Notifier notifier = Notifier::from_environment();
  auto handed = HandedSockets::from_environment();
  if (!handed) return fail(handed.error());
  if (shm::Status ready = prepare_runtime_dir(options.runtime_dir); !ready) return fail(ready.error());
  const RuntimePaths paths(options.runtime_dir);
  if (shm::Status safe = check_off_disk(options.runtime_dir, options.allow_swap); !safe)
    return fail(safe.error());

  // The segment first: whoever holds it is the one ingestd here, and may have sockets.
  const ServerOptions wanted = server_options(options, paths);
  if (shm::Status room = check_room(wanted); !room) return fail(room.error());
  Listeners listeners;
  auto opened = Server::open(wanted, listeners, &notifier);
  if (!opened) return fail(hint_at_aside(opened.error(), wanted.segment_path));
  Server& server = *opened.value();
  tell_report(server.report(), wanted);
  if (shm::Status bound = bind_missing(options, paths, handed.value(), listeners); !bound)
    return fail(bound.error());
  for (const std::string& name : handed.value().left()) spdlog::warn("nobody here wants the socket {}", name);
  for (const Listener& listener : listeners.all()) {
    spdlog::info("listening on {} ({})", listener.address,
                 listener.protocol == Protocol::native ? "native" : "redis");
  }

  auto trap = SignalTrap::start(server.loop(), {SIGTERM, SIGINT, SIGHUP}, [&server](int number) {
    // No file of its own: quotas come from relayd.
    if (number != SIGHUP) server.request_stop();
  });
  if (!trap) return fail(trap.error());
  if (shm::Status started = server.start(); !started) return fail(started.error());
  const bool alone = !options.peer_dir.empty();
  if (alone) write_info_file(paths, listeners, true);
  server.run();
  if (alone) write_info_file(paths, listeners, false);
  spdlog::info("ended as asked");
  return kEnded;
}

int run(int argc, const char* const* argv) {
  const ParsedOptions parsed = parse_options(argc, argv);
  if (parsed.exit_code) {
    std::fputs(parsed.text.c_str(), *parsed.exit_code == kEnded ? stdout : stderr);
    return *parsed.exit_code;
  }
  init_log_output("ingestd", parsed.options.log_level);
  return serve(parsed.options);
}

}  // namespace
}  // namespace mayfly::ingestd

int main(int argc, char** argv) {
  mayfly::install_last_words();
  try {
    return mayfly::ingestd::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ingestd: %s\n", error.what());
    return 1;
  }
}
