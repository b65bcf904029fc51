// `mayfly log`, `set`, `unset`: one record from the command line, or a line of standard input each.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/write_client.h"
#include "shm/quotas.h"

namespace mayfly::cli {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kFinishLimit{5000};
constexpr milliseconds kTurn{100};
constexpr std::size_t kReadBytes = 64 << 10;

// Cuts a byte stream into lines. A line that no record could hold is passed over.
class LineCutter {
 public:
  template <class Take>
  void feed(std::string_view bytes, const Take& take) {
    while (!bytes.empty()) {
      const auto end = bytes.find('\n');
      add(bytes.substr(0, end));
      if (end == std::string_view::npos) return;
      finish_line(take);
      bytes.remove_prefix(end + 1);
    }
  }
  template <class Take>
  void end(const Take& take) {
    if (!line_.empty() || too_long_) finish_line(take);
  }
  std::uint64_t passed_over() const { return passed_over_; }

 private:
  void add(std::string_view part) {
    too_long_ |= part.size() > shm::kMaxRecordBytes - line_.size();
    if (!too_long_) line_ += part;
  }
  template <class Take>
  void finish_line(const Take& take) {
    if (too_long_) {
      ++passed_over_;
    } else {
      take(line_);
    }
    line_.clear();
    too_long_ = false;
  }
  std::string line_;
  bool too_long_ = false;
  std::uint64_t passed_over_ = 0;
};

void drain_stdin() {
  char bytes[kReadBytes];
  ssize_t n = 0;
  do {
    n = ::read(STDIN_FILENO, bytes, sizeof bytes);
  } while (n > 0 || (n < 0 && errno == EINTR));
}

// Each line as it comes; reads on, and counts as lost, where the other end takes nothing.
std::uint64_t stream_stdin(WriteClient& client, const std::string& directory, const std::string& key) {
  LineCutter cutter;
  const auto put = [&](const std::string& line) {
    // One read may hold far more lines than the queue has room for.
    while (!client.has_room() && client.progressing()) client.turn(-1, kTurn);
    client.put({"LOG", directory, key, line});
  };
  char bytes[kReadBytes];
  for (;;) {
    const bool wants_input = client.has_room() || !client.progressing();
    if (!client.turn(wants_input ? STDIN_FILENO : -1, kTurn)) continue;
    const ssize_t n = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) break;
    cutter.feed({bytes, static_cast<std::size_t>(n)}, put);
    client.turn(-1, milliseconds(0));
  }
  cutter.end(put);
  return cutter.passed_over();
}

nlohmann::ordered_json summary_json(const WriteSummary& summary) {
  nlohmann::ordered_json json;
  json["stored"] = summary.confirmed - std::min(summary.confirmed, summary.dropped_total());
  json["dropped"] = summary.dropped;
  json["unknown"] = summary.unknown;
  json["lost"] = summary.lost;
  return json;
}

std::string summary_text(const WriteSummary& summary) {
  std::string text = "not sent:";
  if (summary.lost > 0) text += " " + std::to_string(summary.lost) + " lost;";
  if (summary.unknown > 0) text += " " + std::to_string(summary.unknown) + " perhaps;";
  for (const auto& [cause, count] : summary.dropped)
    text += " " + std::to_string(count) + " dropped (" + cause + ");";
  if (!summary.trouble.empty()) return text + " " + summary.trouble;
  text.pop_back();
  return text;
}

int report(const Globals& globals, const WriteSummary& summary) {
  if (globals.json) std::printf("%s\n", summary_json(summary).dump().c_str());
  if (summary.all_stored()) return kOk;
  return complain(summary_text(summary));
}

int write_one(const Globals& globals, const std::vector<std::string_view>& arguments) {
  auto targets = find_targets(globals);
  if (!targets) return complain("not sent: " + targets.error().text);
  WriteClient client(std::move(targets.value()));
  client.put(arguments);
  client.finish(kFinishLimit);
  return report(globals, client.summary());
}

int write_stdin(const Globals& globals, const std::string& directory, const std::string& key) {
  auto targets = find_targets(globals);
  if (!targets) {
    // The program at the other end of the pipe must not notice.
    drain_stdin();
    return complain("not sent: " + targets.error().text);
  }
  WriteClient client(std::move(targets.value()));
  const auto passed_over = stream_stdin(client, directory, key);
  client.finish(kFinishLimit);
  const int exit_code = report(globals, client.summary());
  if (passed_over == 0) return exit_code;
  return complain("not sent: " + std::to_string(passed_over) + " lines longer than any record may be");
}

struct WriteArguments {
  std::string directory, key, value;
};

}  // namespace

void add_log(CLI::App& app, const Globals& globals, Outcome& outcome) {
  auto* command = app.add_subcommand("log", "append a line, or each line of standard input");
  auto arguments = std::make_shared<WriteArguments>();
  command->add_option("DIR", arguments->directory, "directory")->required();
  command->add_option("KEY", arguments->key, "key")->required();
  auto* line = command->add_option("LINE", arguments->value, "the line; without it: standard input");
  command->callback([&globals, &outcome, arguments, line] {
    outcome.exit_code =
        line->count() > 0
            ? write_one(globals, {"LOG", arguments->directory, arguments->key, arguments->value})
            : write_stdin(globals, arguments->directory, arguments->key);
  });
}

void add_set(CLI::App& app, const Globals& globals, Outcome& outcome) {
  auto* command = app.add_subcommand("set", "set a status value");
  auto arguments = std::make_shared<WriteArguments>();
  command->add_option("DIR", arguments->directory, "directory")->required();
  command->add_option("KEY", arguments->key, "key")->required();
  command->add_option("VALUE", arguments->value, "value")->required();
  command->callback([&globals, &outcome, arguments] {
    outcome.exit_code =
        write_one(globals, {"STATUS", arguments->directory, arguments->key, arguments->value});
  });
}

void add_unset(CLI::App& app, const Globals& globals, Outcome& outcome) {
  auto* command = app.add_subcommand("unset", "remove a status key");
  auto arguments = std::make_shared<WriteArguments>();
  command->add_option("DIR", arguments->directory, "directory")->required();
  command->add_option("KEY", arguments->key, "key")->required();
  command->callback([&globals, &outcome, arguments] {
    outcome.exit_code = write_one(globals, {"UNSET", arguments->directory, arguments->key});
  });
}

}  // namespace mayfly::cli
