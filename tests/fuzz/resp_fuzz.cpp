// The RESP parser: whatever the bytes, it ends, stays within its buffer, and finds the same commands
// however the stream is cut.
#include <algorithm>
#include <string>
#include <vector>

#include "common/resp_parser.h"
#include "tests/fuzz/target.h"

namespace mayfly::fuzz::resp {

RespLimits small_limits() {
  RespLimits limits;
  limits.max_arguments = 64;
  limits.max_bulk_bytes = 4096;
  limits.max_line_bytes = 256;
  limits.max_line_scan_bytes = 1024;
  limits.big_argument_bytes = 128;
  return limits;
}

/// One string per event, with all that the parser handed out.
std::string describe(const RespParser& parser, RespEvent event, std::string_view data) {
  std::string text = std::to_string(static_cast<int>(event));
  if (event == RespEvent::line) text += parser.line(data);
  if (event == RespEvent::array) {
    const RespArguments arguments = parser.arguments(data);
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      text += "|" + std::to_string(arguments.bytes(i)) + ":";
      text += arguments[i];
    }
  }
  return text;
}

/// Feeds `input` in pieces of `cut` bytes; skips every second big argument where `skip` says so.
std::vector<std::string> parse(std::string_view input, std::size_t cut, bool skip) {
  RespParser parser(small_limits());
  std::vector<std::string> found;
  std::string buffer;
  std::size_t big = 0;
  while (!input.empty()) {
    const std::size_t piece = std::min(cut, input.size());
    buffer.append(input.substr(0, piece));
    input.remove_prefix(piece);
    // To the byte, so that a sanitizer sees a look behind the end.
    const std::vector<char> exact(buffer.begin(), buffer.end());
    const std::string_view data(exact.data(), exact.size());
    for (;;) {
      const RespEvent event = parser.next(data);
      if (event == RespEvent::need_more) break;
      found.push_back(describe(parser, event, data));
      if (event == RespEvent::protocol_error) return found;
      if (event == RespEvent::big_argument && skip && ++big % 2 == 0) parser.skip_argument();
    }
    buffer.resize(parser.compact(buffer.data(), buffer.size()));
  }
  return found;
}

void run(std::string_view bytes) {
  if (bytes.size() < 2) return;
  const std::size_t cut = 1 + static_cast<unsigned char>(bytes[0]) % 64;
  const bool skip = (bytes[1] & 1) != 0;
  const std::string_view input = bytes.substr(2);
  require(parse(input, input.size() + 1, skip) == parse(input, cut, skip),
          "the same is found however it is cut");
}

}  // namespace mayfly::fuzz::resp

MAYFLY_FUZZ_TARGET(resp, mayfly::fuzz::resp::run)
