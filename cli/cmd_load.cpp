// `mayfly load`: a load test of the ingest path.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "cli/command.h"
#include "cli/load_run.h"
#include "cli/output.h"
#include "common/host_files.h"
#include "common/units.h"
#include "shm/reader.h"

namespace mayfly::cli {

namespace {

constexpr double kDefaultSeconds = 5;
constexpr double kAlmostNothing = 1e-9;

struct Server {
  std::string segment;
  pid_t ingestd = 0;
};

// Where the written records can be watched, and the process that takes them; neither where they go elsewhere.
Server find_server(const Globals& globals) {
  Server server;
  const bool elsewhere = std::getenv("MAYFLY_ADDR") != nullptr;
  if (!elsewhere || !globals.segment.empty()) server.segment = globals.segment_path();
  if (elsewhere) return server;
  const auto info = find_runtime_info(globals.runtime_directory());
  if (info && info.value().contains("pids")) server.ingestd = info.value()["pids"].value("ingestd", 0);
  return server;
}

// What the load's directories have stored so far, also in those that do not exist yet.
std::optional<std::uint64_t> stored_so_far(const Server& server, const LoadPlan& plan) {
  const auto reader = shm::Reader::open(server.segment);
  if (!reader) return std::nullopt;
  std::uint64_t stored = 0;
  for (std::uint32_t i = 0; i < plan.directories; ++i) {
    if (const auto info = reader.value().find(plan.kind, plan.directory(i))) stored += info->stored;
  }
  return stored;
}

void show_progress(double seconds, std::uint64_t sent) {
  static std::uint64_t before = 0;
  std::fprintf(stderr, "%6.1f s  %llu records  %llu records/s\n", seconds,
               static_cast<unsigned long long>(sent), static_cast<unsigned long long>(sent - before));
  before = sent;
}

// What a process used since `before`; nothing when it is not the same any more.
std::optional<std::uint64_t> used_since(std::optional<std::uint64_t> before, pid_t pid) {
  const auto now = process_cpu_ns(pid);
  if (!before || !now) return std::nullopt;
  return *now - std::min(*now, *before);
}

int run_load(const Globals& globals, const LoadPlan& plan) {
  const auto targets =
      plan.dialect == Dialect::redis ? find_targets(globals, {"redis"}) : find_targets(globals);
  if (!targets) return complain("not sent: " + targets.error().text);
  const auto block = LoadBlock::make(plan);
  if (!block) return complain(block.error().text, kUsage);
  const Server server = find_server(globals);
  const auto stored_before = stored_so_far(server, plan);
  // The probe always speaks to the native listener; elsewhere there is nothing to watch.
  const auto probed = server.segment.empty() ? targets : find_targets(globals);
  LoadProbe probe(server.segment, plan.prefix + "-probe", probed ? probed.value() : targets.value());
  if (!server.segment.empty()) probe.start();

  LoadResult result;
  const auto processor_before = process_cpu_ns(server.ingestd);
  result.effort = send_load(plan, block.value(), targets.value(), show_progress);
  result.server_ns = used_since(processor_before, server.ingestd);
  result.visible = summarize(probe.stop());
  const auto stored_after = stored_so_far(server, plan);
  if (stored_before && stored_after && *stored_after >= *stored_before) {
    result.stored_seen = *stored_after - *stored_before;
  }
  if (globals.json) {
    print_line(load_json(plan, result).dump());
  } else {
    print(load_text(plan, result));
  }
  if (result.effort.counts.sent == 0)
    return complain("not sent: no connection to " + targets.value().front().text);
  return flush_output() && result.accounted() ? kOk : kFailed;
}

struct LoadArguments {
  LoadPlan plan;
  std::string kind = "log";
  std::string dialect = "resp";
  std::string batch;
};

int check_and_run(const Globals& globals, LoadArguments& arguments) {
  auto& plan = arguments.plan;
  plan.kind = arguments.kind == "log" ? shm::Kind::log : shm::Kind::status;
  plan.dialect = arguments.dialect == "resp"     ? Dialect::resp
                 : arguments.dialect == "inline" ? Dialect::line
                                                 : Dialect::redis;
  if (!arguments.batch.empty()) {
    const auto bytes = parse_size(arguments.batch);
    if (!bytes || bytes.value() == 0 || bytes.value() > (64u << 20)) {
      return complain("--batch: 1 byte to 64MiB, not " + arguments.batch, kUsage);
    }
    plan.batch_bytes = static_cast<std::uint32_t>(bytes.value());
  }
  if (plan.records == 0 && plan.seconds < kAlmostNothing) plan.seconds = kDefaultSeconds;
  return run_load(globals, plan);
}

}  // namespace

void add_load(CLI::App& app, const Globals& globals, Outcome& outcome) {
  auto* command = app.add_subcommand("load", "load test of the ingest path");
  auto arguments = std::make_shared<LoadArguments>();
  auto& plan = arguments->plan;
  command->add_option("--kind", arguments->kind, "log or status [log]")
      ->check(CLI::IsMember({"log", "status"}));
  command
      ->add_option(
          "--dialect", arguments->dialect,
          "resp or inline: as programs and scripts write; redis: HSET and XADD, each answered [resp]")
      ->check(CLI::IsMember({"resp", "inline", "redis"}));
  command->add_option("--threads", plan.threads, "that send [1]")->check(CLI::Range(1u, 64u));
  command->add_option("--connections", plan.connections, "connections [4]")->check(CLI::Range(1u, 65'536u));
  command->add_option("--keys", plan.keys, "keys per directory [100]")->check(CLI::Range(1u, 100'000'000u));
  command->add_option("--directories", plan.directories, "directories [1]")->check(CLI::Range(1u, 4096u));
  command->add_option("--size", plan.value_bytes, "bytes of a value [100]")->check(CLI::Range(0u, 16u << 20));
  command->add_option("--rate", plan.rate,
                      "records a second over all connections; 0: as fast as it goes [0]");
  auto* seconds = command->add_option("--seconds", plan.seconds, "so long [5]")->check(CLI::Range(0.01, 1e7));
  command->add_option("--records", plan.records, "so many records instead")
      ->check(CLI::PositiveNumber)
      ->excludes(seconds);
  command->add_option("--batch", arguments->batch, "bytes handed to the kernel at once [64KiB]");
  command->add_option("--prefix", plan.prefix, "of the directories' names [load]")
      ->check([](const std::string& name) {
        return shm::valid_directory_name(name) && name.size() < 100 ? ""
                                                                    : "no directory name begins with " + name;
      });
  command->callback(
      [&globals, &outcome, arguments] { outcome.exit_code = check_and_run(globals, *arguments); });
}

}  // namespace mayfly::cli
