// What the commands of `mayfly` share: options that each of them takes, exit codes, registration.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "shm/result.h"

namespace mayfly::cli {

inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;  // not there, not sent, failed
inline constexpr int kUsage = 2;

/// Options of every command. Filled by the parser before a command runs.
struct Globals {
  std::string runtime_dir;  // as given; runtime_directory() applies the rule
  std::string segment;      // --segment
  std::string url;          // --url
  bool json = false;
  bool raw = false;

  /// Where to look for what is up.
  std::string runtime_directory() const;
  /// The data segment that reading commands attach to.
  std::string segment_path() const;
};

/// Where a command leaves its exit code.
struct Outcome {
  int exit_code = kOk;
};

// One function a command, each in its own file: adds the subcommand to `app`. `globals` and
// `outcome` outlive the parser.
void add_up(CLI::App& app, const Globals& globals, Outcome& outcome);
void add_down(CLI::App& app, const Globals& globals, Outcome& outcome);
void add_log(CLI::App& app, const Globals& globals, Outcome& outcome);
void add_set(CLI::App& app, const Globals& globals, Outcome& outcome);
void add_unset(CLI::App& app, const Globals& globals, Outcome& outcome);
void add_status(CLI::App& app, const Globals& globals, Outcome& outcome);
void add_ls(CLI::App& app, const Globals& globals, Outcome& outcome);
void add_get(CLI::App& app, const Globals& globals, Outcome& outcome);
void add_tail(CLI::App& app, const Globals& globals, Outcome& outcome);
void add_inspect(CLI::App& app, const Globals& globals, Outcome& outcome);
void add_top(CLI::App& app, const Globals& globals, Outcome& outcome);
void add_doctor(CLI::App& app, const Globals& globals, Outcome& outcome);
void add_load(CLI::App& app, const Globals& globals, Outcome& outcome);
void add_hub(CLI::App& app, const Globals& globals, Outcome& outcome);

/// Says `text` on standard error, after "mayfly: ". Returns `exit_code`.
int complain(const std::string& text, int exit_code = kFailed);

/// Arguments of `log`, `set` and `unset` may be any data, also what looks like an option: whatever
/// is no option that these commands know is moved behind a `--`. Other commands stay as they are.
std::vector<std::string> protect_data_arguments(std::vector<std::string> arguments);

/// The whole program; `arguments` without argv[0].
int run(const std::vector<std::string>& arguments);

}  // namespace mayfly::cli
