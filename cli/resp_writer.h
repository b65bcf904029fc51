// Commands as RESP2 arrays of bulk strings: safe for any bytes.
#pragma once

#include <charconv>
#include <string>
#include <string_view>

namespace mayfly::cli {

inline void append_resp_length(std::string& out, char type, std::size_t length) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, length).ptr;
  out += type;
  out.append(digits, end);
  out += "\r\n";
}

/// `arguments`: any range of things that std::string_view can be made from, with size().
template <class Arguments>
void append_resp_command(std::string& out, const Arguments& arguments) {
  append_resp_length(out, '*', arguments.size());
  for (const std::string_view argument : arguments) {
    append_resp_length(out, '$', argument.size());
    out += argument;
    out += "\r\n";
  }
}

}  // namespace mayfly::cli
