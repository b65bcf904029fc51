// The reading half of tunnel_wire.h: what serde makes of MessagePack in ptth, form by form.
#include <algorithm>
#include <cctype>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

#include "common/msgpack_cursor.h"
#include "common/text.h"
#include "common/tunnel_vocabulary.h"
#include "common/tunnel_wire.h"

namespace mayfly {
namespace {

bool is_name_like(const MsgpackToken& token) {
  return token.kind == MsgpackToken::Kind::text || token.kind == MsgpackToken::Kind::binary;
}

std::optional<std::size_t> find_name(std::span<const std::string_view> names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

/// {index: nil}, {"Name": nil}, or a bare "Name".
std::optional<std::size_t> read_variant(MsgpackCursor& cursor, std::span<const std::string_view> names) {
  const MsgpackToken head = cursor.next();
  if (head.kind == MsgpackToken::Kind::text) return find_name(names, head.text);
  if (head.kind != MsgpackToken::Kind::map || head.number != 1) return std::nullopt;
  const MsgpackToken key = cursor.next();
  if (cursor.next().kind != MsgpackToken::Kind::nil) return std::nullopt;
  if (is_name_like(key)) return find_name(names, key.text);
  if (key.kind != MsgpackToken::Kind::number || key.number >= names.size()) return std::nullopt;
  return static_cast<std::size_t>(key.number);
}

/// Reads a struct that came as an array or a map, calling `read_field(index)` for what it has.
template <class ReadField>
bool read_struct(MsgpackCursor& cursor, std::span<const std::string_view> fields, ReadField read_field) {
  const MsgpackToken head = cursor.next();
  if (head.kind == MsgpackToken::Kind::array) {
    if (head.number < fields.size()) return false;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (!read_field(i)) return false;
    }
    // ptth leaves surplus elements unread: harmless at the input's end, garbage anywhere else.
    if (head.number > fields.size()) cursor.stop();
    return true;
  }
  if (head.kind != MsgpackToken::Kind::map) return false;
  std::size_t seen = 0;  // one bit a field
  for (std::uint64_t i = 0; i < head.number; ++i) {
    const MsgpackToken key = cursor.next();
    std::optional<std::size_t> field;
    if (is_name_like(key)) {
      field = find_name(fields, key.text);
    } else if (key.kind == MsgpackToken::Kind::number) {
      if (key.number < fields.size()) field = static_cast<std::size_t>(key.number);
    } else {
      return false;
    }
    if (!field) {
      if (!cursor.skip()) return false;
      continue;
    }
    if ((seen >> *field & 1) != 0) return false;
    seen |= std::size_t{1} << *field;
    if (!read_field(*field)) return false;
  }
  return seen == (std::size_t{1} << fields.size()) - 1;
}

bool read_text(MsgpackCursor& cursor, std::string& out) {
  const MsgpackToken token = cursor.next();
  if (!is_name_like(token) || !is_utf8(token.text)) return false;
  out = token.text;
  return true;
}

/// Of names that differ in case only the last one stays, as of equal ones.
bool read_headers(MsgpackCursor& cursor, HttpHeaders& out) {
  const MsgpackToken head = cursor.next();
  if (head.kind != MsgpackToken::Kind::map || head.number > kMaxWrappedHeaders) return false;
  for (std::uint64_t i = 0; i < head.number; ++i) {
    std::string name;
    std::string value;
    if (!read_text(cursor, name) || !cursor.read_byte_array(value)) return false;
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const auto known =
        std::find_if(out.begin(), out.end(), [&](const auto& entry) { return entry.first == name; });
    if (known != out.end()) {
      known->second = std::move(value);
    } else {
      out.emplace_back(std::move(name), std::move(value));
    }
  }
  return true;
}

bool read_request_parts(MsgpackCursor& cursor, WrappedRequest& out) {
  return read_struct(cursor, kRequestFields, [&](std::size_t field) {
    if (field == 1) return read_text(cursor, out.uri);
    if (field == 2) return read_headers(cursor, out.headers);
    const auto method = read_variant(cursor, kTunnelMethodNames);
    if (method) out.method = kTunnelMethods[*method];
    return method.has_value();
  });
}

bool read_request(MsgpackCursor& cursor, WrappedRequest& out) {
  return read_struct(cursor, kWrappedRequestFields, [&](std::size_t field) {
    return field == 0 ? read_text(cursor, out.id) : read_request_parts(cursor, out);
  });
}

bool read_head(MsgpackCursor& cursor, WrappedHead& out) {
  return read_struct(cursor, kHeadFields, [&](std::size_t field) {
    if (field == 1) return read_headers(cursor, out.headers);
    const auto status = read_variant(cursor, kTunnelStatusNames);
    if (status) out.status = kTunnelStatuses[*status];
    return status.has_value();
  });
}

bool is_header_name(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || kMarks.find(c) != std::string_view::npos;
  });
}

bool is_header_value(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

/// Takes the exact status out of its header, and believes it where it fits the carried one.
void restore_status(WrappedHead& head) {
  for (auto entry = head.headers.begin(); entry != head.headers.end(); ++entry) {
    if (entry->first != kTunnelStatusHeader) continue;
    const auto exact = entry->second.size() == 3 ? parse_u64(entry->second) : std::nullopt;
    const int status = exact ? static_cast<int>(*exact) : 0;
    if (status >= 200 && status < 600 && nearest_tunnel_status(status) == head.status) head.status = status;
    head.headers.erase(entry);
    return;
  }
}

shm::Error invalid_message(const char* text) { return {shm::Errc::invalid, text}; }

}  // namespace

shm::Result<std::vector<WrappedRequest>> decode_requests(std::string_view bytes) {
  MsgpackCursor cursor(bytes);
  const MsgpackToken head = cursor.next();
  if (head.kind != MsgpackToken::Kind::array) return invalid_message("not a list of requests");
  if (head.number > kMaxWrappedRequests) return invalid_message("too many requests in one list");
  std::vector<WrappedRequest> requests;
  for (std::uint64_t i = 0; i < head.number; ++i) {
    if (!read_request(cursor, requests.emplace_back())) {
      return invalid_message("a request in the list is malformed");
    }
  }
  return requests;
}

shm::Result<WrappedHead> decode_head(std::string_view bytes) {
  MsgpackCursor cursor(bytes);
  WrappedHead head;
  if (!read_head(cursor, head)) return invalid_message("the head is malformed");
  for (const auto& [name, value] : head.headers) {
    if (!is_header_name(name)) return shm::Error{shm::Errc::corrupt, "a header's name is none"};
    if (!is_header_value(value)) {
      return shm::Error{shm::Errc::corrupt, "a header's value has control characters"};
    }
  }
  restore_status(head);
  return head;
}

}  // namespace mayfly
