// `mayfly up` and `mayfly down`: flags only; the work is the supervisor's.
#include <grp.h>

#include <charconv>

#include "cli/command.h"
#include "common/log_output.h"
#include "common/runtime_dir.h"
#include "common/units.h"
#include "supervisor/options.h"

namespace mayfly::cli {

namespace {

using supervisor::DownOptions;
using supervisor::Port;
using supervisor::UpOptions;

template <class Number>
bool parse_number(const std::string& text, Number& number, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size();
}

void add_port(CLI::App* command, const std::string& name, Port& port, const std::string& meaning) {
  const std::string fallback = std::to_string(*port);
  command->add_option_function<std::string>(
      name,
      [&port, name](const std::string& text) {
        std::uint16_t number = 0;
        if (text == "none") {
          port.reset();
        } else if (parse_number(text, number)) {
          port = number;
        } else {
          throw CLI::ValidationError(name, "a port is 0 to 65535 or none, not " + text);
        }
      },
      meaning + "; 0: any free one, none: none [" + fallback + "]");
}

void add_milliseconds(CLI::App* command, const std::string& name, std::chrono::milliseconds& value) {
  // For tests and unusual machines; no part of --help.
  command
      ->add_option_function<std::uint32_t>(
          name, [&value](const std::uint32_t& ms) { value = std::chrono::milliseconds(ms); })
      ->group("");
}

void set_mode(UpOptions& options, const std::string& text) {
  unsigned mode = 0;
  if (!parse_number(text, mode, 8) || mode > 0777) {
    throw CLI::ValidationError("--socket-mode", "a file mode is octal, such as 0660, not " + text);
  }
  options.socket_mode = mode;
}

void set_group(UpOptions& options, const std::string& text) {
  std::uint32_t number = 0;
  if (const auto* group = ::getgrnam(text.c_str())) {
    options.socket_group = group->gr_gid;
  } else if (parse_number(text, number)) {
    options.socket_group = number;
  } else {
    throw CLI::ValidationError("--socket-group", "no such group: " + text);
  }
}

std::string check_size(const std::string& text) {
  const auto size = parse_size(text);
  return size ? "" : size.error().text;
}

}  // namespace

void add_up(CLI::App& app, const Globals& globals, Outcome& outcome) {
  auto* command = app.add_subcommand("up", "start the daemons and keep them running");
  auto options = std::make_shared<UpOptions>();
  command->add_option("--config", options->config, "this host's file: name, key, hub");
  command->add_option("--hub-config", options->hub_config, "the embedded hub's file");
  command->add_option("--hub-url", options->hub_url, "a hub elsewhere; none is embedded then");
  command->add_option("--memory", options->memory, "size of the data segment, such as 256MiB")
      ->check(check_size);
  command->add_option("--workers", options->workers, "threads of ingestd")->check(CLI::Range(1, 16));
  add_port(command, "--ingest-port", options->ingest_port, "where programs write");
  add_port(command, "--redis-port", options->redis_port, "where Redis clients write");
  add_port(command, "--relay-port", options->relay_port, "where people and scrapers read");
  add_port(command, "--hub-port", options->hub_port, "the embedded hub");
  command->add_flag("!--no-demo", options->demo, "without the sample writers");
  command->add_flag("!--no-hub", options->hub, "without an embedded hub");
  command->add_option_function<std::string>(
      "--socket-mode", [options](const std::string& text) { set_mode(*options, text); },
      "mode of ingest.sock and relay.sock [0660]");
  command->add_option_function<std::string>(
      "--socket-group", [options](const std::string& text) { set_group(*options, text); },
      "group of ingest.sock and relay.sock");
  add_milliseconds(command, "--watchdog-ms", options->watchdog);
  add_milliseconds(command, "--start-limit-ms", options->start_limit);
  add_milliseconds(command, "--backoff-first-ms", options->backoff_first);
  add_milliseconds(command, "--backoff-max-ms", options->backoff_max);
  add_milliseconds(command, "--healthy-after-ms", options->healthy_after);
  add_milliseconds(command, "--serving-wait-ms", options->serving_wait);
  command->callback([&globals, &outcome, options] {
    init_log_output("mayfly");
    options->runtime_dir = choose_runtime_dir(globals.runtime_dir);
    options->json = globals.json;
    outcome.exit_code = supervisor::run_up(*options);
  });
}

void add_down(CLI::App& app, const Globals& globals, Outcome& outcome) {
  auto* command = app.add_subcommand("down", "stop what `up` started; the data stays");
  auto options = std::make_shared<DownOptions>();
  command->add_flag("--purge", options->purge, "remove the data and the runtime directory too");
  command->callback([&globals, &outcome, options] {
    init_log_output("mayfly");
    options->runtime_dir = choose_runtime_dir(globals.runtime_dir);
    options->json = globals.json;
    outcome.exit_code = supervisor::run_down(*options);
  });
}

}  // namespace mayfly::cli
