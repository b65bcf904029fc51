#include "common/http_answer_head.h"

#include <algorithm>
#include <ctime>

#include "common/http_framing.h"
#include "common/text.h"

namespace mayfly {
namespace {

/// "Sat, 21 Nov 2026 10:00:00 GMT", made once a second.
const std::string& http_date() {
  thread_local std::time_t made_at = -1;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != made_at) {
    std::tm parts{};
    gmtime_r(&now, &parts);
    char buffer[64];
    const std::size_t size = std::strftime(buffer, sizeof(buffer), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    text.assign(buffer, size);
    made_at = now;
  }
  return text;
}

bool ends_a_header(std::string_view value) {
  return std::any_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\t') || byte == 0x7f;
  });
}

/// `name` in lower case.
bool is_connections_own(std::string_view name) {
  return name == "content-length" || name == "transfer-encoding" || name == "connection" ||
         name == "keep-alive" || name == "upgrade" || name == "trailer";
}

void put_line(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

std::string status_line(int status) {
  std::string line = "HTTP/1.1 " + std::to_string(status) + " ";
  line += http_reason(status);
  line += "\r\n";
  return line;
}

}  // namespace

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

std::optional<std::uint64_t> announced_length(const HttpHeaders& headers) {
  for (const auto& [name, value] : headers) {
    if (to_lower(name) == "content-length") return parse_u64(value);
  }
  return std::nullopt;
}

bool may_be_sent(int status, std::string_view name, std::string_view value) {
  if (!is_http_token(name) || ends_a_header(value)) return false;
  const std::string key = to_lower(name);
  return !is_connections_own(key) || (status == 426 && key == "upgrade");
}

std::string answer_head(int status, const HttpHeaders& headers, const AnswerFraming& framing) {
  std::string head = status_line(status);
  bool dated = false;
  for (const auto& [name, value] : headers) {
    if (!may_be_sent(status, name, value)) continue;
    dated = dated || to_lower(name) == "date";
    put_line(head, name, value);
  }
  if (!dated) put_line(head, "Date", http_date());
  if (framing.length) put_line(head, "Content-Length", std::to_string(*framing.length));
  if (framing.chunked) put_line(head, "Transfer-Encoding", "chunked");
  if (!framing.keep_alive) put_line(head, "Connection", "close");
  if (framing.keep_alive && framing.http_1_0) put_line(head, "Connection", "keep-alive");
  head += "\r\n";
  return head;
}

std::string upgrade_head(const HttpHeaders& headers) {
  std::string head = status_line(101);
  put_line(head, "Connection", "Upgrade");
  for (const auto& [name, value] : headers) {
    if (is_http_token(name) && !ends_a_header(value)) put_line(head, name, value);
  }
  head += "\r\n";
  return head;
}

}  // namespace mayfly
