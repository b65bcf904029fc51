// The head of an answer as bytes. Internal to http_server.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/http_message.h"

namespace mayfly {

struct AnswerFraming {
  std::optional<std::uint64_t> length;
  bool chunked = false;
  bool keep_alive = true;
  bool http_1_0 = false;
};

/// True for statuses whose answers have no body whatever their headers say.
bool has_no_body(int status);

/// The Content-Length in `headers`, where there is one that is a number.
std::optional<std::uint64_t> announced_length(const HttpHeaders& headers);

/// Adds Date unless it is there. What decides over framing and the connection comes from `framing`
/// alone: such headers are left out, and so are those that would end the head or start another.
std::string answer_head(int status, const HttpHeaders& headers, const AnswerFraming& framing);

/// The head of a 101: `headers`, and `Connection: Upgrade`.
std::string upgrade_head(const HttpHeaders& headers);

}  // namespace mayfly
