// `mayfly top`: which directories are written, how fast, and what they lose; anew each second.
#include <unistd.h>
#include <cmath>

#include <chrono>
#include <map>
#include <thread>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/source.h"
#include "common/units.h"

namespace mayfly::cli {

using nlohmann::ordered_json;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t kRows = 40;

struct Counts {
  std::uint64_t stored = 0, dropped = 0, evicted = 0;
};

struct Row {
  ordered_json directory;
  Counts per_second;
};

Counts counts_of(const ordered_json& directory) {
  return {directory.at("stored").get<std::uint64_t>(), sum_of_causes(directory.at("dropped")),
          sum_of_causes(directory.at("evicted"))};
}

std::uint64_t rate(std::uint64_t now, std::uint64_t before, double seconds) {
  // A directory that was made anew starts at 0.
  return now < before ? 0
                      : static_cast<std::uint64_t>(std::llround(static_cast<double>(now - before) / seconds));
}

class Top {
 public:
  Top(const Globals& globals, double interval) : globals_(globals), interval_(interval) {}

  int run(std::uint64_t rounds) {
    if (!sample()) return kFailed;
    for (std::uint64_t round = 0; rounds == 0 || round < rounds; ++round) {
      std::this_thread::sleep_for(interval_);
      if (!sample() || !show()) return kFailed;
    }
    return kOk;
  }

 private:
  bool sample() {
    const auto document = read_directories(globals_);
    if (!document) {
      complain(document.error().text);
      return false;
    }
    const auto now = steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - sampled_at_).count();
    sampled_at_ = now;
    rows_.clear();
    std::map<std::string, Counts> counts;
    for (const auto& directory : document.value().at("directories")) {
      const std::string name =
          directory.at("kind").get<std::string>() + " " + directory.at("name").get<std::string>();
      const Counts is = counts_of(directory);
      const Counts was = counts_.count(name) != 0 ? counts_[name] : Counts{};
      counts[name] = is;
      rows_.push_back({directory,
                       {rate(is.stored, was.stored, seconds), rate(is.dropped, was.dropped, seconds),
                        rate(is.evicted, was.evicted, seconds)}});
    }
    counts_ = std::move(counts);
    std::stable_sort(rows_.begin(), rows_.end(),
                     [](const Row& a, const Row& b) { return a.per_second.stored > b.per_second.stored; });
    return true;
  }

  bool show() const {
    if (globals_.json) return show_json();
    std::vector<std::vector<std::string>> cells = {
        {"KIND", "NAME", "STORED/s", "DROPPED/s", "EVICTED/s", "KEYS", "RECORDS", "BYTES"}};
    for (const auto& row : rows_) {
      if (cells.size() > kRows) break;
      const auto& directory = row.directory;
      cells.push_back({directory.at("kind"), directory.at("name"), std::to_string(row.per_second.stored),
                       std::to_string(row.per_second.dropped), std::to_string(row.per_second.evicted),
                       directory.at("keys").dump(), directory.at("records").dump(),
                       directory.at("bytes").dump()});
    }
    if (::isatty(STDOUT_FILENO) == 1) print("\x1b[H\x1b[2J");
    print(table(cells));
    if (cells.size() <= rows_.size()) print_line(std::to_string(rows_.size() + 1 - cells.size()) + " more");
    return print("\n") && flush_output();
  }

  bool show_json() const {
    for (const auto& row : rows_) {
      ordered_json json = row.directory;
      json["per_second"] = {{"stored", row.per_second.stored},
                            {"dropped", row.per_second.dropped},
                            {"evicted", row.per_second.evicted}};
      if (!print_line(json.dump())) return false;
    }
    return flush_output();
  }

  const Globals& globals_;
  std::chrono::duration<double> interval_;
  steady_clock::time_point sampled_at_ = steady_clock::now();
  std::map<std::string, Counts> counts_;
  std::vector<Row> rows_;
};

}  // namespace

void add_top(CLI::App& app, const Globals& globals, Outcome& outcome) {
  auto* command = app.add_subcommand("top", "live use of directories");
  struct Arguments {
    double interval = 1;
    std::uint64_t rounds = 0;
  };
  auto arguments = std::make_shared<Arguments>();
  command->add_option("--interval", arguments->interval, "seconds between two looks [1]")
      ->check(CLI::Range(0.05, 3600.0));
  command->add_option("--rounds", arguments->rounds, "end after so many; 0: never [0]");
  command->callback([&globals, &outcome, arguments] {
    outcome.exit_code = Top(globals, arguments->interval).run(arguments->rounds);
  });
}

}  // namespace mayfly::cli
