// `mayfly get`: the values of a status directory, or one key's bytes.
#include <unistd.h>

#include "cli/command.h"
#include "cli/http_get.h"
#include "cli/output.h"
#include "cli/source.h"
#include "common/json_view.h"
#include "common/text.h"
#include "shm/clock.h"

namespace mayfly::cli {

using nlohmann::ordered_json;
using shm::Errc;
using shm::Error;
using shm::Result;

namespace {

// Objects of {"keys":[…]}, sorted by key.
Result<std::vector<ordered_json>> read_keys(const Globals& globals, const std::string& directory) {
  std::vector<ordered_json> keys;
  if (!globals.url.empty()) {
    auto document = get_json(join_url(globals.url, "/api/v1/status/" + percent_encode(directory)));
    if (!document) return document.error();
    for (auto& key : document.value().at("keys")) keys.push_back(std::move(key));
    return keys;
  }
  auto reader = open_segment(globals);
  if (!reader) return reader.error();
  const auto info = find_directory(reader.value(), directory, shm::Kind::status);
  if (!info) return info.error();
  auto snapshot = reader.value().snapshot(info.value());
  std::sort(snapshot.records.begin(), snapshot.records.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  const auto now = age_reference_ns(reader.value().info(), shm::system_clocks().boot_ns());
  for (const auto& record : snapshot.records) {
    std::string text;
    append_status_record(text, record, now);
    keys.push_back(ordered_json::parse(text));
  }
  return keys;
}

Result<ordered_json> read_key(const Globals& globals, const std::string& directory, const std::string& key) {
  if (!globals.url.empty()) {
    // The list, not the key's own address: with --json its seq and time are wanted too.
    auto keys = read_keys(globals, directory);
    if (!keys) return keys.error();
    for (auto& one : keys.value()) {
      if (exact_bytes(one, "key") == key) return std::move(one);
    }
    return Error{Errc::not_found, "no key " + key + " in " + directory};
  }
  auto reader = open_segment(globals);
  if (!reader) return reader.error();
  const auto info = find_directory(reader.value(), directory, shm::Kind::status);
  if (!info) return info.error();
  const auto record = reader.value().get(info.value(), key);
  if (!record) return Error{Errc::not_found, "no key " + escape_control(key) + " in " + directory};
  std::string text;
  append_status_record(text, *record,
                       age_reference_ns(reader.value().info(), shm::system_clocks().boot_ns()));
  return ordered_json::parse(text);
}

int get_all(const Globals& globals, const std::string& directory) {
  const auto keys = read_keys(globals, directory);
  if (!keys) return complain(keys.error().text);
  for (const auto& key : keys.value()) {
    if (globals.json) {
      print_line(key.dump());
    } else {
      print_line(shown(globals, exact_bytes(key, "key")) + "\t" + shown(globals, exact_bytes(key, "value")));
    }
  }
  return flush_output() ? kOk : kFailed;
}

int get_one(const Globals& globals, const std::string& directory, const std::string& key) {
  const auto object = read_key(globals, directory, key);
  if (!object) return complain(object.error().text);
  if (globals.json) {
    print_line(object.value().dump());
  } else {
    print(shown(globals, exact_bytes(object.value(), "value")));
    // The bytes alone for programs; a prompt on a line of its own for people.
    if (::isatty(STDOUT_FILENO) == 1) print("\n");
  }
  return flush_output() ? kOk : kFailed;
}

}  // namespace

void add_get(CLI::App& app, const Globals& globals, Outcome& outcome) {
  auto* command = app.add_subcommand("get", "show status values; one key: its raw bytes");
  struct Arguments {
    std::string directory, key;
  };
  auto arguments = std::make_shared<Arguments>();
  command->add_option("DIR", arguments->directory, "directory")->required();
  auto* key = command->add_option("KEY", arguments->key, "key");
  command->callback([&globals, &outcome, arguments, key] {
    outcome.exit_code = key->count() > 0 ? get_one(globals, arguments->directory, arguments->key)
                                         : get_all(globals, arguments->directory);
  });
}

}  // namespace mayfly::cli
