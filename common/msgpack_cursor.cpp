#include "common/msgpack_cursor.h"

#include <msgpack.hpp>

namespace mayfly {
namespace {

/// Keeps the first value of the input; stops the parser at the head of an array or a map.
struct TokenVisitor : msgpack::null_visitor {
  MsgpackToken token;

  bool keep(MsgpackToken::Kind kind, std::uint64_t number = 0, std::string_view text = {}) {
    token = {kind, number, text};
    return true;
  }
  bool visit_nil() { return keep(MsgpackToken::Kind::nil); }
  bool visit_boolean(bool) { return keep(MsgpackToken::Kind::other); }
  bool visit_float32(float) { return keep(MsgpackToken::Kind::other); }
  bool visit_float64(double) { return keep(MsgpackToken::Kind::other); }
  bool visit_ext(const char*, std::uint32_t) { return keep(MsgpackToken::Kind::other); }
  bool visit_positive_integer(std::uint64_t value) { return keep(MsgpackToken::Kind::number, value); }
  /// Every signed form comes here, whatever its value.
  bool visit_negative_integer(std::int64_t value) {
    if (value < 0) return keep(MsgpackToken::Kind::other);
    return keep(MsgpackToken::Kind::signed_number, static_cast<std::uint64_t>(value));
  }
  bool visit_str(const char* text, std::uint32_t size) {
    return keep(MsgpackToken::Kind::text, 0, {text, size});
  }
  bool visit_bin(const char* text, std::uint32_t size) {
    return keep(MsgpackToken::Kind::binary, 0, {text, size});
  }
  bool start_array(std::uint32_t entries) {
    keep(MsgpackToken::Kind::array, entries);
    return false;
  }
  bool start_map(std::uint32_t pairs) {
    keep(MsgpackToken::Kind::map, pairs);
    return false;
  }
};

/// Takes one flat array of bytes; anything else stops the parser.
struct ByteArrayVisitor : msgpack::null_visitor {
  std::string& out;
  bool inside = false;

  explicit ByteArrayVisitor(std::string& target) : out(target) {}
  bool take(std::uint64_t value) {
    if (!inside || value > 255) return false;
    out += static_cast<char>(static_cast<unsigned char>(value));
    return true;
  }
  bool visit_positive_integer(std::uint64_t value) { return take(value); }
  bool visit_negative_integer(std::int64_t value) {
    return value >= 0 && take(static_cast<std::uint64_t>(value));
  }
  bool start_array(std::uint32_t) {
    if (inside) return false;
    return inside = true;
  }
  bool start_map(std::uint32_t) { return false; }
  bool visit_nil() { return false; }
  bool visit_boolean(bool) { return false; }
  bool visit_float32(float) { return false; }
  bool visit_float64(double) { return false; }
  bool visit_str(const char*, std::uint32_t) { return false; }
  bool visit_bin(const char*, std::uint32_t) { return false; }
  bool visit_ext(const char*, std::uint32_t) { return false; }
};

/// Bytes of the head of an array or a map, by its first byte.
std::size_t head_size(char first) {
  switch (static_cast<unsigned char>(first)) {
    case 0xdc:
    case 0xde:
      return 3;
    case 0xdd:
    case 0xdf:
      return 5;
    default:
      return 1;
  }
}

}  // namespace

MsgpackToken MsgpackCursor::next() {
  if (stopped_ || at_ >= bytes_.size()) return {};
  TokenVisitor visitor;
  std::size_t end = at_;
  msgpack::parse(bytes_.data(), bytes_.size(), end, visitor);
  const MsgpackToken& token = visitor.token;
  if (token.kind == MsgpackToken::Kind::none) {
    stopped_ = true;
  } else if (token.kind == MsgpackToken::Kind::array || token.kind == MsgpackToken::Kind::map) {
    at_ += head_size(bytes_[at_]);
  } else {
    at_ = end;
  }
  return token;
}

bool MsgpackCursor::skip() {
  for (std::uint64_t open = 1; open > 0; --open) {
    const MsgpackToken token = next();
    if (token.kind == MsgpackToken::Kind::none) return false;
    if (token.kind == MsgpackToken::Kind::array) open += token.number;
    if (token.kind == MsgpackToken::Kind::map) open += 2 * token.number;
  }
  return true;
}

bool MsgpackCursor::read_byte_array(std::string& out) {
  if (stopped_ || at_ >= bytes_.size()) return false;
  ByteArrayVisitor visitor(out);
  std::size_t end = at_;
  if (!msgpack::parse(bytes_.data(), bytes_.size(), end, visitor)) {
    stopped_ = true;
    return false;
  }
  at_ = end;
  return true;
}

}  // namespace mayfly
