// Short answers as PTTH gives them: one line of text/plain.
#pragma once

#include <string_view>

#include "common/http_message.h"
#include "hubd/hub_metrics.h"

namespace mayfly::hubd {

/// Answers and counts. `text` ends with a line end.
inline void send_text(ResponseWriter& response, HubMetrics& metrics, int status, std::string_view text,
                      HttpHeaders more = {}) {
  ++metrics.answers[status];
  more.emplace_back("Content-Type", "text/plain");
  more.emplace_back("Cache-Control", "no-store");
  more.emplace_back("X-Content-Type-Options", "nosniff");
  response.send(status, more, text);
}

}  // namespace mayfly::hubd
