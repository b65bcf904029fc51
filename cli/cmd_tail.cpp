// `mayfly tail`: logs, from the local segment or through a relayd or hub.
#include <cctype>

#include "cli/command.h"
#include "cli/http_get.h"
#include "cli/local_tail.h"
#include "cli/output.h"
#include "cli/record_query.h"
#include "cli/source.h"
#include "common/text.h"
#include "shm/clock.h"

namespace mayfly::cli {

using nlohmann::ordered_json;
using shm::Errc;

namespace {

constexpr std::uint64_t kDefaultLast = 10;

struct TailArguments {
  std::string directory, key, since, grep;
  std::uint64_t last = kDefaultLast;
  bool follow = false;
};

std::string logs_url(const Globals& globals, const TailArguments& arguments, const RecordQuery& query) {
  const std::string base = "/api/v1/logs/" + percent_encode(arguments.directory);
  std::string path = query.key ? key_path(base, *query.key) : base;
  char separator = path.find('?') == std::string::npos ? '?' : '&';
  const auto add = [&](const std::string& parameter) {
    path += separator + parameter;
    separator = '&';
  };
  if (query.last) add("last=" + std::to_string(*query.last));
  if (!arguments.since.empty()) add("since=" + percent_encode(arguments.since));
  if (!arguments.grep.empty()) add("grep=" + percent_encode(arguments.grep));
  if (arguments.follow) add("follow=1");
  return join_url(globals.url, path);
}

bool show_line(RecordPrinter& printer, const Globals& globals, std::string_view line) {
  if (line.empty()) return true;
  if (globals.json) return print_line(line) && flush_output();
  const auto object = ordered_json::parse(line, nullptr, false);
  if (!object.is_object()) return true;
  if (const auto gap = object.find("gap"); gap != object.end()) {
    const auto& missed = gap->at("missed");
    return printer.gap(
               missed.is_number_unsigned() ? std::optional(missed.get<std::uint64_t>()) : std::nullopt,
               gap->value("reason", "")) &&
           printer.flush();
  }
  const std::string key = exact_bytes(object, "key");
  const std::string value = exact_bytes(object, "line");
  shm::RecordView record;
  record.seq = object.value("seq", std::uint64_t{0});
  record.time_ns = parse_time(object.value("time", "")).value_or(0);
  record.key = key;
  record.value = value;
  return printer.record(record) && printer.flush();
}

int tail_remote(const Globals& globals, const TailArguments& arguments, const RecordQuery& query) {
  RecordPrinter printer(globals);
  bool output_gone = false;
  const auto done =
      http_lines(logs_url(globals, arguments, query), arguments.follow, [&](std::string_view line) {
        output_gone = !show_line(printer, globals, line);
        return !output_gone;
      });
  if (!done) return complain(done.error().text);
  return output_gone ? kFailed : kOk;
}

int tail(const Globals& globals, const TailArguments& arguments, bool has_key, bool has_last) {
  RecordQuery query;
  query.directory = arguments.directory;
  if (has_key) query.key = arguments.key;
  query.follow = arguments.follow;
  // --since alone: all since then.
  if (has_last || arguments.since.empty()) query.last = arguments.last;
  if (!arguments.since.empty()) {
    const auto since = parse_point_in_time(arguments.since, shm::system_clocks().wall_ns());
    if (!since) return complain("--since: " + since.error().text, kUsage);
    query.since_ns = since.value();
  }
  if (!arguments.grep.empty()) {
    auto pattern = compile_pattern(arguments.grep);
    if (!pattern) return complain(pattern.error().text, kUsage);
    query.grep = std::move(pattern.value());
  }
  if (!globals.url.empty()) return tail_remote(globals, arguments, query);
  return LocalTail(globals, query).run();
}

}  // namespace

void add_tail(CLI::App& app, const Globals& globals, Outcome& outcome) {
  auto* command = app.add_subcommand("tail", "show the newest lines of a log directory");
  auto arguments = std::make_shared<TailArguments>();
  command->add_option("DIR", arguments->directory, "directory")->required();
  auto* key = command->add_option("KEY", arguments->key, "only this key");
  auto* last = command->add_option("-n,--last", arguments->last, "so many of the newest [10]");
  command->add_flag("-f,--follow", arguments->follow, "go on with what comes");
  command->add_option("--since", arguments->since,
                      "from then on: RFC 3339, Unix seconds, or an age such as 15m");
  command->add_option("--grep", arguments->grep, "only lines that match (RE2)");
  command->callback([&globals, &outcome, arguments, key, last] {
    outcome.exit_code = tail(globals, *arguments, key->count() > 0, last->count() > 0);
  });
}

}  // namespace mayfly::cli
