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
  int status = 0;  // 0: none in time
  HttpHeaders headers;
  std::string body;
  bool cut = false;     // there was more than `max_bytes`
  std::string problem;  // for people, where status is 0
};

struct FanOutLimits {
  std::chrono::milliseconds time{5000};
  std::size_t max_bytes = 4 << 20;         // of one host's answer
  std::size_t max_total_bytes = 32 << 20;  // of all
};

/// Calls `done` once, from the loop, with an answer for each question in their order. `links`
/// outlives it; where `reader` goes away the rest is cancelled and `done` is not called.
void fan_out(uv_loop_t* loop, HostLinks& links, std::vector<HostQuestion> questions, FanOutLimits limits,
             const ResponseWriterPtr& reader, std::function<void(std::vector<HostAnswer>)> done);

}  // namespace mayfly::hubd
