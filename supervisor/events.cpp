#include "supervisor/events.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "common/text.h"
#include "shm/clock.h"

namespace mayfly::supervisor {

using nlohmann::ordered_json;

namespace {

bool can_write_now(int fd) {
  pollfd output{fd, POLLOUT, 0};
  return ::poll(&output, 1, 0) == 1 && (output.revents & POLLOUT) != 0;
}

std::string field_text(const ordered_json& info, const char* name) {
  const auto field = info.find(name);
  return field != info.end() && field->is_string() ? field->get<std::string>() : "none";
}

std::string ready_text(const ordered_json& info) {
  const std::string directory = field_text(info, "runtime_dir");
  const std::string ingest = field_text(info, "ingest");
  const std::string relay = field_text(info, "relay");
  std::string text = "mayfly is up as " + field_text(info, "server") + "\n";
  text += "  write      " + ingest + ", " + field_text(info, "ingest_unix") + "\n";
  text += "  redis      " + field_text(info, "redis") + "\n";
  text += "  read       " + relay + "\n";
  text += "  hub        " + field_text(info, "hub") + "\n";
  text += "  segments   " + directory + "/segments";
  text +=
      info.value("off_disk", false) ? " (nothing reaches a disk)\n" : " (swap is active: may reach a disk)\n";
  text += "Try, from another shell:\n";
  if (ingest != "none") {
    const auto port = ingest.substr(ingest.rfind(':') + 1);
    text += "  bash -c 'exec 3<>/dev/tcp/127.0.0.1/" + port + "; echo \"LOG demo hello world\" >&3'\n";
  } else {
    text += "  mayfly log --runtime-dir " + directory + " demo hello world\n";
  }
  text += "  mayfly tail --runtime-dir " + directory + " -f demo\n";
  if (relay != "none") text += "  curl -s '" + relay + "/api/v1/logs/demo?last=5'\n";
  return text;
}

}  // namespace

std::string ending_text(const Ending& ending) {
  return (ending.signalled ? "signal " : "status ") + std::to_string(ending.number);
}

ordered_json make_event(const std::string& name) {
  ordered_json event;
  event["event"] = name;
  event["time"] = format_time(shm::system_clocks().wall_ns());
  return event;
}

void Events::ready(const ordered_json& info) { emit(info, ready_text(info)); }

void Events::exited(const std::string& program, pid_t pid, const Ending& ending,
                    std::chrono::milliseconds restart_in) {
  auto event = make_event("exited");
  event["program"] = program;
  event["pid"] = pid;
  event[ending.signalled ? "signal" : "status"] = ending.number;
  event["restart_in_ms"] = restart_in.count();
  emit(event, program + " (" + std::to_string(pid) + ") ended by " + ending_text(ending) + ", restart in " +
                  std::to_string(restart_in.count()) + " ms\n");
}

void Events::started(const std::string& program, pid_t pid) {
  auto event = make_event("started");
  event["program"] = program;
  event["pid"] = pid;
  emit(event, program + " started again as " + std::to_string(pid) + "\n");
}

void Events::stopping() { emit(make_event("stopping"), "stopping; the data stays\n"); }

void Events::emit(const ordered_json& event, const std::string& text) {
  const std::string line =
      json_ ? event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n" : text;
  for (std::size_t done = 0; done < line.size();) {
    if (!can_write_now(STDOUT_FILENO)) return;
    const ssize_t n = ::write(STDOUT_FILENO, line.data() + done, line.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    done += static_cast<std::size_t>(n);
  }
}

}  // namespace mayfly::supervisor
