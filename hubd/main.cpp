// hubd: the relay at the far end. Source of truth for servers, directories and quotas.
#include <csignal>

#include <spdlog/spdlog.h>
#include <uv.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/daemon.h"
#include "common/last_words.h"
#include "common/log_output.h"
#include "common/loop_timer.h"
#include "common/memory_lock.h"
#include "hubd/hub.h"

namespace {

using mayfly::HandedSockets;
using mayfly::LoopTimer;
using mayfly::Notifier;
using mayfly::SignalTrap;
using mayfly::hubd::Hub;
using mayfly::hubd::HubOptions;
using mayfly::shm::Result;
using mayfly::shm::Status;

constexpr int kFailed = 1;
constexpr int kWrongUse = 2;

struct Flags {
  std::string config;
  std::string listen;
  std::vector<std::string> servers;
  std::string log_level = "info";
  std::string lock_memory = "auto";
  bool check = false;
  std::vector<std::string> drop_ins;
};

int fail(int code, const std::string& text) {
  std::fprintf(stderr, "hubd: %s\n", text.c_str());
  return code;
}

/// Nothing where the program goes on, or its exit code.
std::optional<int> parse_flags(int argc, char** argv, Flags& flags) {
  CLI::App app{"Mayfly's hub: gives hosts their directories and quotas"};
  app.set_version_flag("--version", MAYFLY_VERSION);
  app.add_option("--config", flags.config, "the hub's file; its drop-ins are FILE.d/*.yaml")
      ->type_name("FILE");
  app.add_option("--listen", flags.listen, "listen there instead of where the file says; port 0: a free one")
      ->type_name("ADDRESS:PORT");
  app.add_option("--server", flags.servers, "a server besides those of the file; repeatable")
      ->type_name("NAME=TRIPCODE")
      ->allow_extra_args(false);
  CLI::Option* check = app.add_flag("--check", flags.check,
                                    "read the file, say what is wrong with it (exit 2), serve nothing");
  app.add_option("--drop-in", flags.drop_ins, "with --check: as if this file were among the drop-ins")
      ->type_name("FILE")
      ->needs(check)
      ->allow_extra_args(false);
  app.add_option("--lock-memory", flags.lock_memory, "keep buffers out of swap: auto, off, require");
  app.add_option("--log-level", flags.log_level, "trace, debug, info, warning, error, critical, off");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUse;
  }
  return {};
}

Status read_options(const Flags& flags, HubOptions& options) {
  if (!flags.config.empty()) options.config = flags.config;
  if (!flags.listen.empty()) {
    auto address = mayfly::hubd::parse_listen_address(flags.listen);
    if (!address.ok()) return address.error().in("--listen");
    options.listen = address.value();
  }
  for (const std::string& text : flags.servers) {
    auto server = mayfly::hubd::parse_server_flag(text);
    if (!server.ok()) return server.error().in("--server");
    options.servers.push_back(server.value());
  }
  Result<HandedSockets> handed = HandedSockets::from_environment();
  if (!handed.ok()) return handed.error();
  options.handed = handed.value().take("hub");
  return {};
}

/// Says on standard error whether the configuration would be taken.
int check(const Flags& flags, const HubOptions& options) {
  if (!options.config) return fail(kWrongUse, "--check needs --config");
  const Status checked = mayfly::hubd::check_configuration(options, flags.drop_ins);
  return checked.ok() ? 0 : fail(kWrongUse, checked.error().text);
}

/// Serves until SIGTERM or SIGINT.
int serve(uv_loop_t* loop, HubOptions options) {
  const Notifier notifier = Notifier::from_environment();
  Result<std::unique_ptr<Hub>> started = Hub::start(loop, std::move(options));
  if (!started.ok()) {
    const bool wrong_use = started.error().code == mayfly::shm::Errc::invalid;
    return fail(wrong_use ? kWrongUse : kFailed, started.error().text);
  }
  Hub& hub = *started.value();
  auto signals = SignalTrap::start(loop, {SIGTERM, SIGINT, SIGHUP}, [&](int number) {
    if (number == SIGHUP) return hub.reload();
    notifier.stopping();
    uv_stop(loop);
  });
  if (!signals.ok()) return fail(kFailed, signals.error().text);
  LoopTimer watchdog(loop, [&] { notifier.watchdog(); });
  if (const auto interval = notifier.watchdog_interval()) watchdog.start(*interval, *interval);
  notifier.ready(hub.status());
  spdlog::info("{}", hub.status());
  uv_run(loop, UV_RUN_DEFAULT);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  mayfly::install_last_words();
  Flags flags;
  if (const std::optional<int> code = parse_flags(argc, argv, flags)) return *code;
  if (!mayfly::init_log_output("hubd", flags.log_level)) return fail(kWrongUse, "--log-level: no such level");
  if (const Status hardened = mayfly::harden_process(); !hardened.ok())
    return fail(kFailed, hardened.error().text);
  const Result<mayfly::MemoryLock> lock = mayfly::parse_memory_lock(flags.lock_memory);
  if (!lock.ok()) return fail(kWrongUse, lock.error().in("--lock-memory").text);
  if (const Status locked = mayfly::lock_memory(lock.value()); !locked.ok())
    return fail(kFailed, locked.error().text);
  mayfly::raise_file_limit();
  HubOptions options;
  if (const Status read = read_options(flags, options); !read.ok()) return fail(kWrongUse, read.error().text);
  if (flags.check) return check(flags, options);
  uv_loop_t loop;
  if (uv_loop_init(&loop) != 0) return fail(kFailed, "no event loop");
  const int code = serve(&loop, std::move(options));
  uv_run(&loop, UV_RUN_DEFAULT);  // closes what is being closed
  uv_loop_close(&loop);
  return code;
}
