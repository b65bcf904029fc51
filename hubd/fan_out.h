// One question to many hosts at once, bounded in time and bytes.
#pragma once

#include <uv.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "common/http_message.h"
#include "hubd/access.h"
#include "hubd/host_links.h"

namespace mayfly::hubd {

struct HostQuestion {
  std::string server;
  Scope scope;       // of the reader; the hub puts it into the request
  std::string path;  // percent-encoded
  std::string query;
  HttpHeaders headers;
};

struct HostAnswer {
  std::string server;
  int status = 0;  // 0: none, `problem` says why
  HttpHeaders headers;
  std::string body;
  bool cut = false;  // there was more than `max_bytes`, or than is left of `max_total_bytes`
  /// Where status is 0, a stable word: "not_connected", "no_rights" (a server that cannot limit a
  /// reader to a part), "no_answer_in_time", "broke_off".
  std::string problem;
};

struct FanOutLimits {
  std::chrono::milliseconds time{5000};
  std::size_t max_bytes = 4 << 20;         // of one answer's body
  std::size_t max_total_bytes = 32 << 20;  // of all
};

/// Asks those that are connected. Calls `done` once, from the loop, never from within this call,
/// with an answer for each question in their order. `links` lives until then. Takes over
/// on_closed() of `reader`: where he goes away the rest is cancelled, and `done` is not called.
void fan_out(uv_loop_t* loop, HostLinks& links, std::vector<HostQuestion> questions, FanOutLimits limits,
             const ResponseWriterPtr& reader, std::function<void(std::vector<HostAnswer>)> done);

}  // namespace mayfly::hubd
