// `mayfly doctor`: what about this machine stands in Mayfly's way, and what to change.
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>

#include "cli/command.h"
#include "cli/health.h"
#include "cli/output.h"
#include "cli/source.h"
#include "common/host_files.h"
#include "common/memory_lock.h"
#include "common/runtime_dir.h"
#include "common/units.h"
#include "supervisor/lock.h"
#include "supervisor/spawn.h"

namespace mayfly::cli {

using nlohmann::ordered_json;

namespace {

constexpr rlim_t kEnoughFiles = 4096;
constexpr std::uint64_t kEnoughBytes = 64ull << 20;

struct Check {
  std::string name;
  bool ok = false;
  std::string detail;  // where not ok: what to change
};

// The directory itself, or where it would be made.
std::string existing_place(const std::string& directory) {
  std::error_code ignored;
  std::filesystem::path place = directory;
  while (!std::filesystem::exists(place, ignored) && place.has_relative_path()) place = place.parent_path();
  return place.string();
}

Check check_memory_backed(const std::string& directory) {
  const auto backing = backing_of(existing_place(directory));
  if (!backing) return {"memory-backed", false, backing.error().text};
  if (backing.value().memory_backed) return {"memory-backed", true, backing.value().filesystem};
  return {"memory-backed", false,
          directory + " lies on file system " + backing.value().filesystem +
              "; name a directory on tmpfs with --runtime-dir, such as one below /dev/shm"};
}

Check check_swap(const std::string& directory) {
  const auto backing = backing_of(existing_place(directory));
  if (!swap_active()) return {"swap", true, "no swap area is in use"};
  if (backing && backing.value().memory_backed && !backing.value().swappable) {
    return {"swap", true, "swap is in use, but " + backing.value().filesystem + " here is never swapped"};
  }
  return {"swap", false,
          "swap is in use, so segments may reach a disk; run `swapoff -a`, or put the runtime directory on a "
          "tmpfs "
          "mounted with noswap (Linux 6.4 or later) or on ramfs"};
}

Check check_core_dumps() {
  rlimit limit{};
  ::getrlimit(RLIMIT_CORE, &limit);
  std::ifstream file("/proc/sys/kernel/core_pattern");
  std::string pattern;
  std::getline(file, pattern);
  const bool piped = !pattern.empty() && pattern.front() == '|';
  if (limit.rlim_cur == 0 && !piped)
    return {"core-dumps", true, "off (the daemons switch theirs off in any case)"};
  // The daemons are not dumpable; a program that writes to them may be.
  return {"core-dumps", true,
          "the daemons switch theirs off; dumps of your own programs would go to " +
              (piped ? pattern.substr(1) : pattern)};
}

Check check_open_files() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const bool ok = limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= kEnoughFiles;
  const std::string detail = "up to " + std::to_string(limit.rlim_max) + " open files";
  return {"open-files", ok,
          ok ? detail
             : detail + "; raise the hard limit to " + std::to_string(kEnoughFiles) +
                   " (ulimit -Hn, LimitNOFILE=)"};
}

// The daemons' buffers; what keeps segments off a disk is the check above.
Check check_locked_memory() {
  const std::string obstacle = memory_lock_obstacle();
  if (obstacle.empty()) return {"locked-memory", true, "daemons started like this lock their buffers"};
  if (!swap_active()) return {"locked-memory", true, "not needed: no swap area is in use"};
  return {"locked-memory", false, "swap is in use, so buffers of the daemons may reach a disk: " + obstacle};
}

Check check_space(const std::string& directory) {
  const std::string place = existing_place(directory);
  struct statvfs fs {};
  if (::statvfs(place.c_str(), &fs) != 0)
    return {"space", false, "cannot ask " + place + " for its free space"};
  const std::uint64_t free = static_cast<std::uint64_t>(fs.f_bavail) * fs.f_frsize;
  const std::uint64_t total = static_cast<std::uint64_t>(fs.f_blocks) * fs.f_frsize;
  struct stat segment {};
  const bool has_segment = ::stat(find_data_segment(directory).c_str(), &segment) == 0;
  const std::string detail =
      format_size_rounded(free) + " of " + format_size_rounded(total) + " free at " + place;
  if (has_segment || free >= kEnoughBytes) return {"space", true, detail};
  return {
      "space", false,
      detail + "; make it larger (mount -o remount,size=…; docker run --shm-size=1g), or name another place"};
}

const char* starting_command(bool parts) {
  return parts ? "systemctl start mayfly-ingest mayfly-relay" : "mayfly up";
}

const char* log_output_of(bool parts) {
  return parts ? "`journalctl -u mayfly-ingest -u mayfly-relay`" : "the log output of `mayfly up`";
}

Check check_directory(const std::string& directory) {
  if (has_parts(directory)) return {"runtime-directory", true, directory + ", a part for each daemon"};
  const auto checked = check_runtime_dir(directory);
  if (checked) return {"runtime-directory", true, directory};
  if (checked.error().code == shm::Errc::not_found) {
    return {"runtime-directory", true, directory + " will be made by `mayfly up`"};
  }
  return {"runtime-directory", false, checked.error().text};
}

bool runs(const ordered_json& info, const std::string& program) {
  const auto pid = info.at("pids").find(program);
  if (pid == info.at("pids").end() || !pid->is_number_integer()) return false;
  const auto ticks = supervisor::start_ticks(pid->get<pid_t>());
  return ticks != 0 && (!info.contains("start_ticks") || info["start_ticks"].value(program, 0ull) == ticks);
}

Check check_daemons(const std::string& directory) {
  const auto info = find_runtime_info(directory);
  const bool parts = has_parts(directory);
  if (!info)
    return {"daemons", false, "nothing is up in " + directory + "; run `" + starting_command(parts) + "`"};
  if (!info.value().contains("pids")) return {"daemons", false, "mayfly.json names no processes"};
  std::string away;
  for (const char* program : {"supervisor", "ingestd", "relayd"}) {
    if (parts && std::string_view(program) == "supervisor") continue;  // that is systemd
    if (!runs(info.value(), program)) away += std::string(away.empty() ? "" : ", ") + program;
  }
  if (!away.empty()) return {"daemons", false, "not running: " + away + "; see " + log_output_of(parts)};
  return {"daemons", true, "running, " + info.value()["pids"].dump()};
}

Check check_segment(const Globals& globals) {
  const auto reader = open_segment(globals);
  if (!reader) return {"segment", false, reader.error().text};
  const auto info = reader.value().info();
  if (!writer_alive(info))
    return {"segment", false,
            "its writer gives no sign of life; see " +
                std::string(log_output_of(has_parts(globals.runtime_directory())))};
  if (!info.serving)
    return {"segment", false, "no quotas in force; see that the hub is up and knows this host"};
  return {"segment", true, "written and within quotas (version " + info.applied_version + ")"};
}

int run_checks(const Globals& globals) {
  const std::string directory = globals.runtime_directory();
  bool all_ok = true;
  for (const auto& check : {check_memory_backed(directory), check_swap(directory), check_core_dumps(),
                            check_open_files(), check_locked_memory(), check_space(directory),
                            check_directory(directory), check_daemons(directory), check_segment(globals)}) {
    all_ok &= check.ok;
    if (globals.json) {
      ordered_json json;
      json["check"] = check.name;
      json["ok"] = check.ok;
      json["detail"] = check.detail;
      print_line(json.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
    } else {
      print_line((check.ok ? "ok    " : "FAIL  ") + check.name + ": " + check.detail);
    }
  }
  return flush_output() && all_ok ? kOk : kFailed;
}

}  // namespace

void add_doctor(CLI::App& app, const Globals& globals, Outcome& outcome) {
  auto* command = app.add_subcommand("doctor", "check this machine, and say what to change");
  command->callback([&globals, &outcome] { outcome.exit_code = run_checks(globals); });
}

}  // namespace mayfly::cli
