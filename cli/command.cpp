#include "cli/command.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <string_view>

#include "common/daemon.h"
#include "common/host_files.h"

namespace mayfly::cli {

namespace {

constexpr std::array<std::string_view, 5> kGlobalOptions = {"--runtime-dir", "--segment", "--url", "--json",
                                                            "--raw"};
constexpr std::array<std::string_view, 3> kOptionsWithValue = {"--runtime-dir", "--segment", "--url"};
constexpr std::array<std::string_view, 3> kDataCommands = {"log", "set", "unset"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool is_known_option(std::string_view argument) {
  return argument == "-h" || argument == "--help" ||
         contains(kGlobalOptions, argument.substr(0, argument.find('=')));
}

void add_globals(CLI::App& app, Globals& globals) {
  app.add_option(
      "--runtime-dir", globals.runtime_dir,
      "where a host's segments and sockets are [$RUNTIME_DIRECTORY, /dev/shm/mayfly-<uid>, /run/mayfly]");
  app.add_option("--segment", globals.segment, "read this segment file");
  app.add_option("--url", globals.url, "read through a relayd or a hub");
  app.add_flag("--json", globals.json, "one JSON object a line");
  app.add_flag("--raw", globals.raw, "do not escape control bytes on a terminal");
}

void add_commands(CLI::App& app, const Globals& globals, Outcome& outcome) {
  for (const auto add : {add_up, add_down, add_log, add_set, add_unset, add_status, add_ls, add_get, add_tail,
                         add_inspect, add_top, add_doctor, add_load, add_hub}) {
    add(app, globals, outcome);
  }
  for (auto* command : app.get_subcommands({})) command->fallthrough();
}

}  // namespace

std::string Globals::runtime_directory() const { return find_runtime_dir(runtime_dir); }

std::string Globals::segment_path() const {
  return segment.empty() ? find_data_segment(runtime_directory()) : segment;
}

int complain(const std::string& text, int exit_code) {
  std::fprintf(stderr, "mayfly: %s\n", text.c_str());
  return exit_code;
}

std::vector<std::string> protect_data_arguments(std::vector<std::string> arguments) {
  std::vector<std::string> options;
  std::vector<std::string> data;
  bool in_data_command = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto& argument = arguments[i];
    if (argument == "--" && in_data_command) {
      data.insert(data.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1, arguments.end());
      break;
    }
    if (is_known_option(argument)) {
      options.push_back(argument);
      if (contains(kOptionsWithValue, argument) && i + 1 < arguments.size())
        options.push_back(arguments[++i]);
    } else if (!in_data_command) {
      if (!contains(kDataCommands, argument)) return arguments;
      in_data_command = true;
      options.push_back(argument);
    } else {
      data.push_back(argument);
    }
  }
  if (!in_data_command) return arguments;
  options.emplace_back("--");
  options.insert(options.end(), data.begin(), data.end());
  return options;
}

int run(const std::vector<std::string>& arguments) {
  // Stored data passes through here too. A pipe's reader that has seen enough ends us as usual.
  if (const auto hardened = harden_process(); !hardened) return complain(hardened.error().text);
  std::signal(SIGPIPE, SIG_DFL);
  CLI::App app("Mayfly: status and logs of this host, in memory only", "mayfly");
  app.set_version_flag("--version", "mayfly " MAYFLY_VERSION);
  app.require_subcommand(1);
  Globals globals;
  Outcome outcome;
  add_globals(app, globals);
  add_commands(app, globals, outcome);
  auto reversed = protect_data_arguments(arguments);
  std::reverse(reversed.begin(), reversed.end());
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  return outcome.exit_code;
}

}  // namespace mayfly::cli
