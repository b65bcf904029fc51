// `mayfly hub add-server`, `add-user`, `add-scraper-key`: who may come to a hub, as drop-ins beside
// its file, which is never rewritten. A running hub takes them within a second.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/hub_drop_in.h"
#include "cli/output.h"
#include "cli/read_secret.h"
#include "common/password_hash.h"
#include "common/random_key.h"
#include "common/text.h"
#include "common/tripcode.h"
#include "shm/clock.h"
#include "shm/quotas.h"

namespace mayfly::cli {
namespace {

using nlohmann::ordered_json;
using shm::Errc;
using shm::Error;
using shm::Result;

constexpr std::size_t kMinPasswordBytes = 8;
constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::uint64_t kDayNs = 86'400 * kSecondNs;

struct HubArguments {
  std::string file;
  std::string name;
  std::string tripcode;
  std::vector<std::string> rights;
  unsigned days = 0;
};

bool fits_name(const std::string& name) { return shm::valid_directory_name(name); }

int wrong_name(const std::string& name) {
  return complain("`" + name + "` is no name: 1 to 128 of A-Z a-z 0-9 . _ -, the first one of A-Z a-z 0-9 _",
                  kUsage);
}

/// SERVER:PREFIX as YAML. Error: invalid.
Result<std::string> right_yaml(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string server = text.substr(0, colon);
  const std::string prefix = colon == std::string::npos ? "" : text.substr(colon + 1);
  const bool server_fits = server == "*" || shm::valid_directory_name(server);
  if (colon == std::string::npos || !server_fits || !(prefix.empty() || shm::valid_directory_name(prefix))) {
    return Error{Errc::invalid, "`" + text +
                                    "` is not SERVER:PREFIX (`*` for every server; nothing after the colon "
                                    "for every directory)"};
  }
  return "{server: \"" + server + "\", prefix: \"" + prefix + "\"}";
}

Result<std::string> rights_yaml(const std::vector<std::string>& rights) {
  std::string out;
  for (const std::string& text : rights) {
    const Result<std::string> right = right_yaml(text);
    if (!right.ok()) return right.error();
    out += (out.empty() ? "" : ", ") + right.value();
  }
  return "[" + out + "]";
}

std::string list_of(const std::vector<std::string>& rights) {
  std::string out;
  for (const std::string& right : rights) out += (out.empty() ? "" : ", ") + right;
  return out;
}

/// Writes the drop-in and says what the hub says. Nothing: it failed, and was complained about.
std::optional<std::string> add(const HubArguments& arguments, const DropIn& drop_in) {
  const Result<AddedDropIn> added = add_drop_in(arguments.file, drop_in);
  if (!added.ok()) {
    complain("nothing was added: " + added.error().text);
    return {};
  }
  std::fputs(added.value().note.c_str(), stderr);
  return added.value().path;
}

int finish(const Globals& globals, const ordered_json& json, const std::string& text) {
  const bool printed = globals.json ? print_line(json.dump()) : print(text);
  return printed && flush_output() ? kOk : kFailed;
}

int add_server(const Globals& globals, const HubArguments& arguments) {
  if (!fits_name(arguments.name)) return wrong_name(arguments.name);
  const auto hash = parse_tripcode(arguments.tripcode);
  if (!hash) return complain("--tripcode is what `relayd --print-tripcode` prints at the host", kUsage);
  if (is_well_known_password(*hash))
    return complain("this is the tripcode of a well-known password; make a random key", kUsage);
  DropIn drop_in{"server-" + arguments.name, "", false};
  drop_in.content =
      "servers:\n  - name: \"" + arguments.name + "\"\n    tripcode: \"" + arguments.tripcode + "\"\n";
  const auto path = add(arguments, drop_in);
  if (!path) return kFailed;
  ordered_json json{{"added", "server"}, {"name", arguments.name}, {"file", *path}};
  return finish(globals, json,
                "# " + *path +
                    " is written. In the host's file (`relayd --config`), beside its key:\nname: " +
                    arguments.name + "\nhub_url: https://ADDRESS-OF-THIS-HUB\n");
}

int add_user(const Globals& globals, const HubArguments& arguments) {
  if (!fits_name(arguments.name)) return wrong_name(arguments.name);
  const Result<std::string> rights = rights_yaml(arguments.rights);
  if (!rights.ok()) return complain(rights.error().text, kUsage);
  Result<std::string> password = read_secret("Password of " + arguments.name);
  if (!password.ok()) return complain("no password: " + password.error().text);
  if (password.value().size() < kMinPasswordBytes || is_well_known_password(blake3(password.value()))) {
    wipe(password.value());
    return complain("the password is too short (less than 8 bytes) or one that everybody tries first");
  }
  const Result<std::string> hash = hash_password(password.value());
  wipe(password.value());
  if (!hash.ok()) return complain(hash.error().text);
  DropIn drop_in{"user-" + arguments.name, "", true};
  drop_in.content = "users:\n  - name: \"" + arguments.name + "\"\n    password: \"" + hash.value() +
                    "\"\n    rights: " + rights.value() + "\n";
  const auto path = add(arguments, drop_in);
  if (!path) return kFailed;
  ordered_json json{
      {"added", "user"}, {"name", arguments.name}, {"rights", arguments.rights}, {"file", *path}};
  return finish(globals, json,
                *path + " is written. " + arguments.name + " logs in at the hub's /login and may read " +
                    list_of(arguments.rights) + ".\n");
}

int add_scraper_key(const Globals& globals, const HubArguments& arguments) {
  if (!fits_name(arguments.name)) return wrong_name(arguments.name);
  const Result<std::string> rights = rights_yaml(arguments.rights);
  if (!rights.ok()) return complain(rights.error().text, kUsage);
  const Result<std::string> random = random_key();
  if (!random.ok()) return complain(random.error().text);
  const std::string key =
      "mfk_" + random.value();  // never like an option, and easily found where it should not be
  const std::uint64_t from_ns = shm::system_clocks().wall_ns() / kSecondNs * kSecondNs;
  const std::string from = format_time(from_ns);
  const std::string until = format_time(from_ns + arguments.days * kDayNs);
  DropIn drop_in{"scraper-key-" + arguments.name, "", true};
  drop_in.content = "scraper_keys:\n  - name: \"" + arguments.name + "\"\n    hash: \"" + tripcode(key) +
                    "\"\n    not_before: \"" + from + "\"\n    not_after: \"" + until +
                    "\"\n    rights: " + rights.value() + "\n";
  const auto path = add(arguments, drop_in);
  if (!path) return kFailed;
  // Not on standard output: what stands there is the key and nothing else.
  std::fprintf(
      stderr,
      "%s is written. The key, on standard output, is shown this once; it may read %s until %s.\n"
      "For Prometheus: `authorization: {type: Bearer, credentials_file: FILE}`; for others the header "
      "X-ApiKey.\n",
      path->c_str(), list_of(arguments.rights).c_str(), until.c_str());
  ordered_json json{{"added", "scraper_key"}, {"name", arguments.name}, {"key", key},
                    {"not_before", from},     {"not_after", until},     {"rights", arguments.rights},
                    {"file", *path}};
  return finish(globals, json, key + "\n");
}

using Action = int (*)(const Globals&, const HubArguments&);

/// A command with what all three have.
CLI::App* add_action(CLI::App& hub, const std::string& name, const std::string& text, Action action,
                     const std::shared_ptr<HubArguments>& arguments, const Globals& globals,
                     Outcome& outcome) {
  CLI::App* command = hub.add_subcommand(name, text);
  command->fallthrough();
  command->add_option("--config", arguments->file, "the hub's file")->required()->type_name("FILE");
  command->add_option("NAME", arguments->name, "a new name")->required();
  command->callback(
      [action, arguments, &globals, &outcome] { outcome.exit_code = action(globals, *arguments); });
  return command;
}

}  // namespace

void add_hub(CLI::App& app, const Globals& globals, Outcome& outcome) {
  CLI::App* hub = app.add_subcommand("hub", "let servers, people and programs come to a hub");
  hub->require_subcommand(1);
  const auto server = std::make_shared<HubArguments>();
  add_action(*hub, "add-server", "a host may connect", add_server, server, globals, outcome)
      ->add_option("--tripcode", server->tripcode, "what `relayd --print-tripcode` prints at the host")
      ->required();
  const auto user = std::make_shared<HubArguments>();
  add_action(*hub, "add-user", "a person may log in; the password is read from standard input", add_user,
             user, globals, outcome)
      ->add_option("--right", user->rights, "what may be read; repeatable; `*:` is everything")
      ->type_name("SERVER:PREFIX")
      ->allow_extra_args(false)
      ->required();
  const auto key = std::make_shared<HubArguments>();
  key->rights = {"*:"};
  CLI::App* scraper = add_action(*hub, "add-scraper-key", "a program may read; prints its key once",
                                 add_scraper_key, key, globals, outcome);
  scraper->add_option("--days", key->days, "how long the key is valid, 1 to 30")
      ->required()
      ->check(CLI::Range(1, 30));
  scraper->add_option("--right", key->rights, "what may be read; repeatable; without it, everything")
      ->type_name("SERVER:PREFIX")
      ->allow_extra_args(false);
}

}  // namespace mayfly::cli
