// What `mayfly up` says on standard output: one JSON object a line with --json (contract,
// section 1), the same for people without.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

namespace mayfly::supervisor {

/// How a program ended: by a signal, or with a status.
struct Ending {
  bool signalled = false;
  int number = 0;
};

/// "signal 9", "status 1".
std::string ending_text(const Ending& ending);

/// Writes each event at once and whole. An output that is full or gone loses events: nothing that
/// reads them may hold up the supervisor. One thread.
class Events {
 public:
  explicit Events(bool json) : json_(json) {}

  /// `info` is what mayfly.json holds.
  void ready(const nlohmann::ordered_json& info);
  void exited(const std::string& program, pid_t pid, const Ending& ending,
              std::chrono::milliseconds restart_in);
  void started(const std::string& program, pid_t pid);
  void stopping();

 private:
  void emit(const nlohmann::ordered_json& event, const std::string& text);
  bool json_;
};

/// {"event":name,"time":now}, for more fields.
nlohmann::ordered_json make_event(const std::string& name);

}  // namespace mayfly::supervisor
