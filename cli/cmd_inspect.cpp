// `mayfly inspect`: what a segment file says of itself; live, dead or copied.
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <thread>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/segment_json.h"
#include "common/host_files.h"
#include "common/json_view.h"
#include "shm/clock.h"
#include "shm/control.h"
#include "shm/reader.h"
#include "shm/verify.h"

namespace mayfly::cli {

using nlohmann::ordered_json;
using shm::Errc;
using shm::Error;
using shm::Result;

namespace {

constexpr int kVerifyAttempts = 20;  // of a file that is being written
constexpr std::chrono::milliseconds kVerifyPause{25};

struct InspectArguments {
  std::string path;
  bool verify = false;
  bool records = false;
};

// The file that is meant: itself, or the data segment in a segments or runtime directory.
Result<std::string> find_file(const Globals& globals, const std::string& given) {
  if (given.empty()) return globals.segment_path();
  struct stat st {};
  if (::stat(given.c_str(), &st) != 0) return shm::os_error(Errc::not_found, given, errno);
  if (!S_ISDIR(st.st_mode)) return given;
  std::error_code ignored;
  for (const std::string& candidate : {find_data_segment(given), given + "/data"}) {
    if (std::filesystem::exists(candidate, ignored)) return candidate;
  }
  return Error{Errc::not_found, "no data segment in " + given};
}

bool is_control_segment(const std::string& path) { return shm::ControlReader::open(path).ok(); }

// A live file changes under the validator now and then: tried again until it kept still.
Result<shm::VerifyReport> verify(const std::string& path) {
  for (int attempt = 1;; ++attempt) {
    auto report = shm::verify_file(path);
    if (!report || !report.value().torn_copy || attempt == kVerifyAttempts) return report;
    std::this_thread::sleep_for(kVerifyPause);
  }
}

ordered_json verify_json(const Result<shm::VerifyReport>& report) {
  ordered_json json;
  json["ok"] = report.ok() && report.value().ok && !report.value().torn_copy;
  if (!report.ok()) {
    json["errors"] = {std::string(shm::errc_name(report.error().code)) + ": " + report.error().text};
    return json;
  }
  if (report.value().torn_copy) json["torn_copy"] = true;
  if (report.value().pending) json["pending"] = true;
  json["errors"] = report.value().errors;
  if (report.value().torn_copy && report.value().errors.empty()) {
    json["errors"] = {"torn_copy: changed while it was copied or read; says nothing about the original"};
  }
  return json;
}

bool print_records(shm::Reader& reader) {
  const auto now = age_reference_ns(reader.info(), shm::system_clocks().boot_ns());
  for (const auto& directory : reader.directories()) {
    const std::string prefix = R"({"kind":")" + std::string(shm::kind_name(directory.kind)) +
                               R"(","directory":")" + directory.name + "\",";
    for (const auto& record : reader.snapshot(directory).records) {
      std::string object;
      append_record(object, directory.kind, record, now);
      if (!print_line(prefix + object.substr(1))) return false;
    }
  }
  return true;
}

int inspect_control(const std::string& path) {
  const auto reader = shm::ControlReader::open(path);
  if (!reader) return complain(reader.error().text);
  const auto state = reader.value()->state();
  if (!state) return complain(state.error().text);
  print_line(control_json(path, state.value()).dump());
  return flush_output() ? kOk : kFailed;
}

int inspect_data(const std::string& path, const InspectArguments& arguments) {
  auto reader = shm::Reader::open(path);
  std::optional<Result<shm::VerifyReport>> report;
  if (arguments.verify) report.emplace(verify(path));
  if (!reader) {
    if (report) {
      ordered_json json;
      json["segment"] = "data";
      json["path"] = path;
      json["verify"] = verify_json(*report);
      print_line(json.dump());
      flush_output();
    }
    return complain(path + ": " + reader.error().text);
  }
  auto json = segment_json(path, reader.value());
  if (report) json["verify"] = verify_json(*report);
  bool printed = print_line(json.dump());
  if (printed && arguments.records) printed = print_records(reader.value());
  if (!flush_output() || !printed) return kFailed;
  return report && !json["verify"]["ok"].get<bool>() ? kFailed : kOk;
}

int inspect(const Globals& globals, const InspectArguments& arguments) {
  const auto path = find_file(globals, arguments.path);
  if (!path) return complain(path.error().text);
  if (is_control_segment(path.value())) return inspect_control(path.value());
  return inspect_data(path.value(), arguments);
}

}  // namespace

void add_inspect(CLI::App& app, const Globals& globals, Outcome& outcome) {
  auto* command = app.add_subcommand("inspect", "show what a segment file says of itself");
  auto arguments = std::make_shared<InspectArguments>();
  command->add_option("FILE|DIR", arguments->path, "segment file, segments or runtime directory");
  command->add_flag("--verify", arguments->verify, "recount everything; exit 1 if it does not agree");
  command->add_flag("--records", arguments->records, "the records too, one a line");
  command->callback([&globals, &outcome, arguments] { outcome.exit_code = inspect(globals, *arguments); });
}

}  // namespace mayfly::cli
