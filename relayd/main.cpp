// relayd: reads the data segment for people and programs, and brings the hub's quotas to this host.
#include <spdlog/spdlog.h>
#include <uv.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "common/daemon.h"
#include "common/last_words.h"
#include "common/log_output.h"
#include "common/loop_timer.h"
#include "common/memory_lock.h"
#include "common/runtime_dir.h"
#include "common/socket_address.h"
#include "common/tripcode.h"
#include "relayd/info_file.h"
#include "relayd/relay.h"

namespace {

using mayfly::HandedSockets;
using mayfly::LoopTimer;
using mayfly::Notifier;
using mayfly::RuntimePaths;
using mayfly::SignalTrap;
using mayfly::relayd::InfoFile;
using mayfly::relayd::Relay;
using mayfly::relayd::RelayConfig;
using mayfly::relayd::RelayFlags;
using mayfly::relayd::RelayOptions;

constexpr int kFailed = 1;
constexpr int kWrongUse = 2;

struct Flags {
  RelayFlags relay;
  std::string runtime_dir;
  std::string log_level = "info";
  std::string lock_memory = "auto";
  bool print_tripcode = false;
};

int fail(int code, const std::string& text) {
  std::fprintf(stderr, "relayd: %s\n", text.c_str());
  return code;
}

/// Nothing where the program goes on, or its exit code.
std::optional<int> parse_flags(int argc, char** argv, Flags& flags) {
  CLI::App app{"Mayfly's relay: reads what a host's programs have written, keeps its quotas up to date"};
  app.set_version_flag("--version", MAYFLY_VERSION);
  app.add_option("--runtime-dir", flags.runtime_dir,
                 "default: $RUNTIME_DIRECTORY, else /dev/shm/mayfly-<uid>")
      ->type_name("DIR");
  app.add_option("--peer-dir", flags.relay.peer_dir, "ingestd's runtime directory, where that is another")
      ->type_name("DIR");
  app.add_option("--config", flags.relay.config, "the host's file; its drop-ins are FILE.d/*.yaml")
      ->type_name("FILE");
  app.add_option("--relay", flags.relay.relay, "where to listen by TCP, or none; port 0: a free one")
      ->type_name("ADDRESS:PORT");
  app.add_option("--relay-unix", flags.relay.relay_unix, "the unix socket, or none")->type_name("PATH");
  app.add_option("--hub-url", flags.relay.hub_url, "the hub, in place of the file's")->type_name("URL");
  app.add_option("--name", flags.relay.name, "this host's name, in place of the file's")->type_name("NAME");
  app.add_option("--api-key-file", flags.relay.api_key_file, "a file with this host's key, mode 0600")
      ->type_name("FILE");
  app.add_flag("--print-tripcode", flags.print_tripcode,
               "print the key's tripcode for the hub's file, and end");
  app.add_option("--lock-memory", flags.lock_memory, "keep buffers out of swap: auto, off, require");
  app.add_option("--log-level", flags.log_level, "trace, debug, info, warning, error, critical, off");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUse;
  }
  return {};
}

int print_tripcode(const RelayConfig& config) {
  if (config.api_key.empty()) return fail(kWrongUse, "there is no key: give --config or --api-key-file");
  std::printf("%s\n", mayfly::tripcode(config.api_key).c_str());
  return std::fflush(stdout) == 0 ? 0 : kFailed;
}

/// Its path; empty: none.
std::string unix_socket_of(const RelayOptions& options) {
  if (!options.unix_sockets.empty()) return mayfly::socket_address(options.unix_sockets.front());
  return options.config.listen_unix.value_or(options.paths.relay_socket);
}

/// Serves until SIGTERM or SIGINT.
int serve(uv_loop_t* loop, RelayOptions options) {
  const Notifier notifier = Notifier::from_environment();
  const bool alone = !options.config.peer_dir.empty();
  InfoFile info{options.paths, "", unix_socket_of(options), options.config.name};
  auto relay = Relay::start(loop, std::move(options));
  if (!relay.ok()) {
    const bool wrong_use = relay.error().code == mayfly::shm::Errc::invalid;
    return fail(wrong_use ? kWrongUse : kFailed, relay.error().text);
  }
  auto signals = SignalTrap::start(loop, {SIGTERM, SIGINT, SIGHUP}, [&](int number) {
    // Its file is read at the start only; what changes at run time comes from the hub.
    if (number == SIGHUP) return spdlog::info("SIGHUP: nothing to read again");
    notifier.stopping();
    uv_stop(loop);
  });
  if (!signals.ok()) return fail(kFailed, signals.error().text);
  LoopTimer watchdog(loop, [&] { notifier.watchdog(); });
  if (const auto interval = notifier.watchdog_interval()) watchdog.start(*interval, *interval);
  const std::string& address = relay.value()->address();
  notifier.ready(address);
  spdlog::info("reading at {}", address.empty() ? info.unix_socket : address);
  info.address = address;
  if (alone) write_info_file(info, true);
  uv_run(loop, UV_RUN_DEFAULT);
  if (alone) write_info_file(info, false);
  return 0;
}

/// The runtime directory and the sockets. Errors end the program with kWrongUse.
mayfly::shm::Result<RelayOptions> make_options(const Flags& flags, RelayConfig config) {
  const std::string directory = mayfly::choose_runtime_dir(flags.runtime_dir);
  if (auto prepared = mayfly::prepare_runtime_dir(directory); !prepared.ok()) return prepared.error();
  RelayOptions options{RuntimePaths(directory), std::move(config), {}, {}, nullptr, true};
  const std::string& peer = options.config.peer_dir;
  if (!peer.empty()) options.data_segment = RuntimePaths(peer).data;
  auto handed = HandedSockets::from_environment();
  if (!handed.ok()) return handed.error();
  options.sockets = handed.value().take("relay");
  options.unix_sockets = handed.value().take("relay-unix");
  for (const auto& name : handed.value().left()) spdlog::warn("nobody takes the socket \"{}\"", name);
  // Who hands sockets over says with them where to listen.
  if (!options.sockets.empty() && options.unix_sockets.empty()) options.config.listen_unix = std::string();
  if (options.sockets.empty() && !options.unix_sockets.empty()) options.config.listen.reset();
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  mayfly::install_last_words();
  Flags flags;
  if (const std::optional<int> code = parse_flags(argc, argv, flags)) return *code;
  if (!mayfly::init_log_output("relayd", flags.log_level))
    return fail(kWrongUse, "--log-level: no such level");
  if (const auto hardened = mayfly::harden_process(); !hardened.ok()) {
    return fail(kFailed, hardened.error().text);
  }
  const auto lock = mayfly::parse_memory_lock(flags.lock_memory);
  if (!lock.ok()) return fail(kWrongUse, lock.error().in("--lock-memory").text);
  if (const auto locked = mayfly::lock_memory(lock.value()); !locked.ok()) {
    return fail(kFailed, locked.error().text);
  }
  mayfly::raise_file_limit();
  auto config = mayfly::relayd::load_relay_config(flags.relay);
  if (!config.ok()) return fail(kWrongUse, config.error().text);
  if (!config.value().made_key_file.empty()) {
    spdlog::info("a key for this host was made: {}; the hub must know it by its tripcode {}",
                 config.value().made_key_file, mayfly::tripcode(config.value().api_key));
  }
  if (flags.print_tripcode) return print_tripcode(config.value());
  auto options = make_options(flags, std::move(config.value()));
  if (!options.ok()) return fail(kWrongUse, options.error().text);
  uv_loop_t loop;
  if (uv_loop_init(&loop) != 0) return fail(kFailed, "no event loop");
  const int code = serve(&loop, std::move(options.value()));
  uv_run(&loop, UV_RUN_DEFAULT);  // closes what is being closed
  uv_loop_close(&loop);
  return code;
}
