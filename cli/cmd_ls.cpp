// `mayfly ls`: directories.
#include "cli/command.h"
#include "cli/output.h"
#include "cli/source.h"
#include "common/text.h"
#include "shm/clock.h"

namespace mayfly::cli {

using nlohmann::ordered_json;

namespace {

std::string last_write(const ordered_json& directory) {
  const auto& time = directory.at("last_write");
  if (!time.is_string()) return "-";
  const auto wall = parse_time(time.get_ref<const std::string&>());
  const auto now = shm::system_clocks().wall_ns();
  return wall && *wall <= now ? short_age((now - *wall) / 1'000'000'000) : time.get<std::string>();
}

std::string number(const ordered_json& directory, const char* field) {
  return std::to_string(directory.at(field).get<std::uint64_t>());
}

void print_table(const std::vector<ordered_json>& directories) {
  std::vector<std::vector<std::string>> rows = {
      {"KIND", "NAME", "KEYS", "RECORDS", "BYTES", "STORED", "DROPPED", "EVICTED", "LAST"}};
  for (const auto& directory : directories) {
    rows.push_back({directory.at("kind"), directory.at("name"), number(directory, "keys"),
                    number(directory, "records"), number(directory, "bytes"), number(directory, "stored"),
                    std::to_string(sum_of_causes(directory.at("dropped"))),
                    std::to_string(sum_of_causes(directory.at("evicted"))), last_write(directory)});
  }
  print(table(rows));
}

int list(const Globals& globals, const std::string& kind) {
  const auto document = read_directories(globals);
  if (!document) return complain(document.error().text);
  std::vector<ordered_json> chosen;
  for (const auto& directory : document.value().at("directories")) {
    if (kind.empty() || directory.at("kind") == kind) chosen.push_back(directory);
  }
  if (globals.json) {
    for (const auto& directory : chosen) print_line(directory.dump());
  } else {
    print_table(chosen);
  }
  return flush_output() ? kOk : kFailed;
}

}  // namespace

void add_ls(CLI::App& app, const Globals& globals, Outcome& outcome) {
  auto* command = app.add_subcommand("ls", "list directories");
  auto kind = std::make_shared<std::string>();
  command->add_option("KIND", *kind, "only these: log or status")->check(CLI::IsMember({"log", "status"}));
  command->callback([&globals, &outcome, kind] { outcome.exit_code = list(globals, *kind); });
}

}  // namespace mayfly::cli
