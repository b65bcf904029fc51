// The HTTP request parser: whatever the bytes, it ends, and finds the same requests and bodies
// however the stream is cut, with bodies kept or handed on.
#include <algorithm>
#include <string>
#include <vector>

#include "common/http_parser.h"
#include "tests/fuzz/target.h"

namespace mayfly::fuzz::http {

constexpr std::size_t kHead = 2048;
constexpr std::size_t kBody = 512;

std::string describe(const ParsedRequest& parsed) {
  std::string text =
      parsed.request.method + "|" + parsed.request.path + "|" + parsed.request.query + "|" + parsed.host;
  text += parsed.keep_alive ? "|keep" : "|close";
  for (const auto& [name, value] : parsed.request.headers) text += "|" + name + ":" + value;
  return text + "|" + parsed.request.body;
}

struct Session {
  HttpRequestParser parser{kHead, kBody};
  bool streams;
  std::vector<std::string> found;
  bool in_body = false;
  bool refused = false;

  void run() {
    while (!refused && (in_body ? body() : request())) {
    }
  }
  bool request() {
    switch (parser.next([this](const HttpRequest&) { return streams; })) {
      case HttpRequestParser::State::need_more:
        return false;
      case HttpRequestParser::State::refused:
        refused = true;
        found.push_back("refused " + std::to_string(parser.refusal().status));
        return false;
      case HttpRequestParser::State::ready:
        break;
    }
    const ParsedRequest parsed = parser.take();
    in_body = parsed.streamed;
    found.push_back(describe(parsed));
    return true;
  }
  bool body() {
    std::string_view piece;
    switch (parser.next_body(piece)) {
      case HttpRequestParser::Body::piece:
        found.back() += piece;
        return true;
      case HttpRequestParser::Body::need_more:
        return false;
      case HttpRequestParser::Body::complete:
        in_body = false;
        if (parser.in_body()) std::abort();
        return true;
      case HttpRequestParser::Body::refused:
        refused = true;
        found.back() = "refused";  // how much of the body came before depends on the cuts
        return false;
    }
    return false;
  }
};

std::vector<std::string> parse(std::string_view input, std::size_t cut, bool streams) {
  Session session{.streams = streams, .found = {}};
  while (!input.empty()) {
    const std::size_t piece = std::min(cut, input.size());
    session.parser.append(input.substr(0, piece));
    input.remove_prefix(piece);
    session.run();
  }
  return session.found;
}

void run(std::string_view bytes) {
  if (bytes.size() < 2) return;
  const std::size_t cut = 1 + static_cast<unsigned char>(bytes[0]) % 64;
  const bool streams = (bytes[1] & 1) != 0;
  const std::string_view input = bytes.substr(2);
  require(parse(input, input.size() + 1, streams) == parse(input, cut, streams),
          "the same is found however it is cut");
}

}  // namespace mayfly::fuzz::http

MAYFLY_FUZZ_TARGET(http, mayfly::fuzz::http::run)
