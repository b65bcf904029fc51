#include "ingestd/session.h"

#include <algorithm>

namespace mayfly::ingestd {
namespace {

void on_big_argument(RespParser& parser, Session& session, std::string_view data) {
  if (!session.keep_argument(parser.arguments(data), parser.big_bytes())) parser.skip_argument();
}

// False when nothing more can be read from `data`.
bool feed_one(RespParser& parser, Session& session, std::string_view data) {
  switch (parser.next(data)) {
    case RespEvent::need_more:
      return false;
    case RespEvent::array:
      session.on_command(parser.arguments(data));
      break;
    case RespEvent::line:
      session.on_line(parser.line(data));
      break;
    case RespEvent::long_line:
      session.on_long_line();
      break;
    case RespEvent::big_argument:
      on_big_argument(parser, session, data);
      break;
    case RespEvent::protocol_error:
      session.on_protocol_error(parser.error());
      break;
  }
  return true;
}

}  // namespace

bool feed_session(RespParser& parser, Session& session, std::string_view data) {
  bool full = false;
  while (!session.closing()) {
    full = session.output_full();
    if (full || !feed_one(parser, session, data)) break;
  }
  session.end_turn();
  return !full;
}

std::string printable(std::string_view text, std::size_t limit) {
  std::string shown(text.substr(0, limit));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return shown;
}

}  // namespace mayfly::ingestd
