// The head of an answer: as bytes for http_server.cpp, its rules for every ResponseWriter.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

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

/// False for what decides over framing and the connection, and for what would end the head or start
/// another: an answer leaves such headers out.
bool may_be_sent(int status, std::string_view name, std::string_view value);

/// Adds Date unless it is there, and what `framing` says; headers as may_be_sent().
std::string answer_head(int status, const HttpHeaders& headers, const AnswerFraming& framing);

/// The head of a 101: `headers`, and `Connection: Upgrade`.
std::string upgrade_head(const HttpHeaders& headers);

}  // namespace mayfly
