// `mayfly status`: health in a few lines.
#include "cli/command.h"
#include "cli/health.h"
#include "cli/http_get.h"
#include "cli/output.h"
#include "cli/source.h"
#include "common/units.h"

namespace mayfly::cli {

using nlohmann::ordered_json;

namespace {

// What the directories hold and lost, added up.
ordered_json totals(const ordered_json& document) {
  std::uint64_t records = 0, bytes = 0, stored = 0,
                dropped = sum_of_causes(document.at("unknown").at("dropped")), evicted = 0;
  for (const auto& directory : document.at("directories")) {
    records += directory.at("records").get<std::uint64_t>();
    bytes += directory.at("bytes").get<std::uint64_t>();
    stored += directory.at("stored").get<std::uint64_t>();
    dropped += sum_of_causes(directory.at("dropped"));
    evicted += sum_of_causes(directory.at("evicted"));
  }
  ordered_json json;
  json["directories"] = document.at("directories").size();
  json["records"] = records;
  json["bytes"] = bytes;
  json["stored"] = stored;
  json["dropped"] = dropped;
  json["evicted"] = evicted;
  return json;
}

std::string totals_text(const ordered_json& all) {
  return "directories  " + all.at("directories").dump() + " with " + all.at("records").dump() + " records, " +
         format_size_rounded(all.at("bytes").get<std::uint64_t>()) + "; stored " + all.at("stored").dump() +
         ", dropped " + all.at("dropped").dump() + ", evicted " + all.at("evicted").dump() + "\n";
}

int show(const Globals& globals, const ordered_json& health, const ordered_json& document,
         const std::string& head) {
  const auto all = totals(document);
  if (globals.json) {
    auto json = health;
    json["totals"] = all;
    print_line(json.dump());
  } else {
    print(head + totals_text(all));
  }
  const bool healthy = health.at("ok").get<bool>();
  return flush_output() && healthy ? kOk : kFailed;
}

int remote_status(const Globals& globals) {
  const auto document = read_directories(globals);
  if (!document) return complain(document.error().text);
  const auto ready = http_get(join_url(globals.url, "/readyz"));
  ordered_json health;
  health["ok"] = ready.ok();
  health["url"] = globals.url;
  if (!ready) health["reason"] = ready.error().text;
  return show(globals, health, document.value(),
              globals.url + (ready ? " is ready\n" : " is not ready: " + ready.error().text + "\n"));
}

int local_status(const Globals& globals) {
  const auto reader = open_segment(globals);
  if (!reader) return complain(reader.error().text);
  const auto document = read_directories(globals);
  if (!document) return complain(document.error().text);
  const auto health = local_health(globals, reader.value());
  return show(globals, health, document.value(), health_text(health));
}

}  // namespace

void add_status(CLI::App& app, const Globals& globals, Outcome& outcome) {
  auto* command = app.add_subcommand("status", "health in a few lines");
  command->callback([&globals, &outcome] {
    outcome.exit_code = globals.url.empty() ? local_status(globals) : remote_status(globals);
  });
}

}  // namespace mayfly::cli
