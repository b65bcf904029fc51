#include "common/http_message.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "common/text.h"

namespace mayfly {
namespace {

struct Reason {
  int status;
  std::string_view text;
};

constexpr Reason kReasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {204, "No Content"},
    {206, "Partial Content"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {421, "Misdirected Request"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool same_letters(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

/// Splits off what precedes `separator`.
std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  const std::string_view head = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return head;
}

/// True for the parameters of a media range that say "never": q=0, q=0.0 ...
bool has_zero_weight(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view parameter = trimmed(take_until(parameters, ';'));
    if (parameter.size() < 3 || std::tolower(static_cast<unsigned char>(parameter[0])) != 'q') continue;
    if (parameter[1] != '=') continue;
    return parameter.find_first_not_of("0.", 2) == std::string_view::npos;
  }
  return false;
}

}  // namespace

const std::string* HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string_view http_reason(int status) {
  for (const auto& reason : kReasons) {
    if (reason.status == status) return reason.text;
  }
  return "Status";
}

std::string problem_json(int status, std::string_view code, std::string_view detail) {
  nlohmann::ordered_json problem;
  problem["status"] = status;
  problem["title"] = http_reason(status);
  problem["detail"] = escape_invalid_utf8(detail);
  problem["code"] = code;
  return problem.dump() + "\n";
}

void send_problem(ResponseWriter& response, int status, std::string_view code, std::string_view detail,
                  HttpHeaders more) {
  more.emplace_back("Content-Type", "application/problem+json");
  more.emplace_back("Cache-Control", "no-store");
  more.emplace_back("X-Content-Type-Options", "nosniff");
  response.send(status, more, problem_json(status, code, detail));
}

bool accepts_explicitly(const std::string* accept, std::string_view type) {
  if (accept == nullptr) return false;
  const std::string group = std::string(type.substr(0, type.find('/'))) + "/*";
  std::string_view rest = *accept;
  while (!rest.empty()) {
    std::string_view parameters = take_until(rest, ',');
    const std::string_view range = trimmed(take_until(parameters, ';'));
    if ((same_letters(range, type) || same_letters(range, group)) && !has_zero_weight(parameters))
      return true;
  }
  return false;
}

void ByteStream::on_silence(Callback) {}

std::shared_ptr<ByteStream> ResponseWriter::upgrade(const HttpHeaders&) { return nullptr; }

}  // namespace mayfly
