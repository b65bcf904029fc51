// How bytes become commands of a session, written out for each kind of session: a record passes
// through here without a virtual call.
#pragma once

#include <string_view>

#include "common/resp_parser.h"

namespace mayfly::ingestd {

/// One event of the parser. False when nothing more can be read from `data`.
template <class S>
bool feed_event(RespEvent event, RespParser& parser, S& session, std::string_view data) {
  switch (event) {
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
      if (!session.keep_argument(parser.arguments(data), parser.big_bytes())) parser.skip_argument();
      break;
    case RespEvent::protocol_error:
      session.on_protocol_error(parser.error());
      break;
  }
  return true;
}

/// Session::feed() for a session of a known kind.
template <class S>
bool feed_session(RespParser& parser, S& session, std::string_view data) {
  bool full = false;
  while (!session.closing()) {
    full = session.output_full();
    if (full) break;
    const RespEvent event = parser.next(data);
    if (event == RespEvent::array) [[likely]] {
      session.on_command(parser.arguments(data));
    } else if (!feed_event(event, parser, session, data)) {
      break;
    }
  }
  session.end_turn();
  return !full;
}

}  // namespace mayfly::ingestd
