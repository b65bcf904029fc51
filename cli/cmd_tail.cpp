// `mayfly tail`: logs, from the local segment or through a relayd or hub.
#include <cctype>

#include "cli/command.h"
#include "cli/http_get.h"
#include "cli/local_tail.h"
#include "cli/output.h"
#include "cli/record_query.h"
#include "cli/remote_tail.h"
#include "cli/source.h"
#include "common/text.h"
#include "shm/clock.h"

namespace mayfly::cli {

using nlohmann::ordered_json;

namespace {

constexpr std::uint64_t kDefaultLast = 10;

struct TailArguments {
  std::string directory, key, since, grep;
  std::uint64_t last = kDefaultLast;
  bool follow = false;
};

/// What is asked for below the directory's address, as query parameters without a separator.
struct Wish {
  std::string address;
  std::string past;
  std::string filter;
};

Wish remote_wish(const Globals& globals, const TailArguments& arguments, const RecordQuery& query) {
  Wish wish;
  const std::string what = arguments.follow ? "/api/v1/tail/" : "/api/v1/logs/";
  const std::string base = what + percent_encode(arguments.directory);
  wish.address = join_url(globals.url, query.key ? key_path(base, *query.key) : base);
  if (query.last) wish.past = "last=" + std::to_string(*query.last);
  if (!arguments.since.empty()) {
    wish.past += (wish.past.empty() ? "since=" : "&since=") + percent_encode(arguments.since);
  }
  if (!arguments.grep.empty()) wish.filter = "grep=" + percent_encode(arguments.grep);
  return wish;
}

bool show_line(RecordPrinter& printer, const Globals& globals, std::string_view line) {
  if (line.empty()) return true;
  if (globals.json) return print_line(line) && flush_output();
  const auto object = ordered_json::parse(line, nullptr, false);
  if (!object.is_object()) return true;
  const auto gap = object.find("gap");
  return gap != object.end() ? show_gap(printer, *gap) : show_record(printer, object);
}

int tail_remote(const Globals& globals, const TailArguments& arguments, const RecordQuery& query) {
  Wish wish = remote_wish(globals, arguments, query);
  if (arguments.follow) {
    return RemoteTail(globals, std::move(wish.address), std::move(wish.past), std::move(wish.filter)).run();
  }
  for (const std::string& part : {wish.past, wish.filter}) {
    if (!part.empty()) wish.address += (wish.address.find('?') == std::string::npos ? "?" : "&") + part;
  }
  RecordPrinter printer(globals);
  bool output_gone = false;
  const auto done = http_lines(wish.address, false, [&](std::string_view line) {
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
