#include "cli/reply_parser.h"

#include <charconv>

namespace mayfly::cli {

namespace {

// Far above anything that a listener sends; beyond it the other end is no listener.
constexpr long long kMaxLength = 1 << 20;

std::optional<long long> parse_length(std::string_view text) {
  long long number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0 || number > kMaxLength) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

std::optional<std::string_view> ReplyParser::read_line(std::size_t& place) {
  const auto end = buffer_.find("\r\n", place);
  if (end == std::string::npos) {
    failed_ |= buffer_.size() - place > static_cast<std::size_t>(kMaxLength);
    return std::nullopt;
  }
  const auto line = std::string_view(buffer_).substr(place, end - place);
  place = end + 2;
  return line;
}

// False: not whole yet, or failed.
bool ReplyParser::read_one(std::size_t& place, Reply& reply) {
  const auto line = read_line(place);
  if (!line) return false;
  reply.type = line->empty() ? '\0' : line->front();
  const auto rest = line->empty() ? *line : line->substr(1);
  if (reply.type == '+' || reply.type == '-' || reply.type == ':') {
    reply.text = rest;
    return true;
  }
  const auto length = parse_length(rest);
  if (!length || (reply.type != '$' && reply.type != '*')) {
    failed_ = true;
    return false;
  }
  if (reply.type == '$') {
    const auto size = static_cast<std::size_t>(*length);
    if (buffer_.size() < place + size + 2) return false;
    reply.text = buffer_.substr(place, size);
    place += size + 2;
    return true;
  }
  for (long long i = 0; i < *length; ++i) {
    Reply item;
    if (!read_one(place, item)) return false;
    reply.items.push_back(std::move(item.text));
  }
  return true;
}

std::optional<Reply> ReplyParser::next() {
  if (failed_) return std::nullopt;
  std::size_t place = 0;
  Reply reply;
  if (!read_one(place, reply)) return std::nullopt;
  buffer_.erase(0, place);
  return reply;
}

}  // namespace mayfly::cli
