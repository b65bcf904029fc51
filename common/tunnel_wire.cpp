#include "common/tunnel_wire.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <msgpack.hpp>
#include <utility>

#include "common/text.h"
#include "common/tunnel_vocabulary.h"

namespace mayfly {
namespace {

struct StringStream {
  std::string out;
  void write(const char* data, std::size_t size) { out.append(data, size); }
};
using Packer = msgpack::packer<StringStream>;

std::string lower_case_name(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

/// True for headers that are no lists: a second line of theirs must not be joined to the first.
bool stands_alone(std::string_view name) {
  constexpr std::string_view kSingle[] = {"age",
                                          "authorization",
                                          "content-length",
                                          "content-location",
                                          "content-range",
                                          "content-type",
                                          "date",
                                          "etag",
                                          "expires",
                                          "host",
                                          "if-modified-since",
                                          "if-range",
                                          "if-unmodified-since",
                                          "last-event-id",
                                          "last-modified",
                                          "location",
                                          "max-forwards",
                                          "mayfly-status",
                                          "origin",
                                          "proxy-authorization",
                                          "range",
                                          "referer",
                                          "retry-after",
                                          "server",
                                          "set-cookie",
                                          "user-agent",
                                          "x-apikey"};
  return std::find(std::begin(kSingle), std::end(kSingle), name) != std::end(kSingle);
}

/// A map has each name once.
HttpHeaders merged(const HttpHeaders& headers) {
  HttpHeaders out;
  for (const auto& [name, value] : headers) {
    std::string lower = lower_case_name(name);
    const auto known =
        std::find_if(out.begin(), out.end(), [&](const auto& entry) { return entry.first == lower; });
    if (known == out.end()) {
      out.emplace_back(std::move(lower), value);
    } else if (!stands_alone(lower)) {
      known->second += (lower == "cookie" ? "; " : ", ") + value;
    }
  }
  return out;
}

void pack_text(Packer& packer, std::string_view text) {
  packer.pack_str(static_cast<std::uint32_t>(text.size()));
  packer.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}

void pack_variant(Packer& packer, std::size_t index) {
  packer.pack_map(1);
  packer.pack_uint64(index);
  packer.pack_nil();
}

void pack_headers(Packer& packer, const HttpHeaders& headers) {
  packer.pack_map(static_cast<std::uint32_t>(headers.size()));
  for (const auto& [name, value] : headers) {
    pack_text(packer, name);
    packer.pack_array(static_cast<std::uint32_t>(value.size()));
    for (const char c : value) packer.pack_uint8(static_cast<unsigned char>(c));
  }
}

template <class Table, class Value>
std::size_t place_in(const Table& table, const Value& value, std::size_t otherwise) {
  const auto found = std::find(std::begin(table), std::end(table), value);
  if (found == std::end(table)) return otherwise;
  return static_cast<std::size_t>(found - std::begin(table));
}

bool is_base64_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
         c == '=';
}

}  // namespace

std::string encode_requests(const std::vector<WrappedRequest>& requests) {
  StringStream stream;
  Packer packer(stream);
  packer.pack_array(static_cast<std::uint32_t>(requests.size()));
  for (const auto& request : requests) {
    packer.pack_array(2);
    pack_text(packer, request.id);
    packer.pack_array(3);
    pack_variant(packer, place_in(kTunnelMethods, request.method, 0));
    pack_text(packer, request.uri);
    pack_headers(packer, merged(request.headers));
  }
  return std::move(stream.out);
}

std::string encode_head(const WrappedHead& head) {
  HttpHeaders headers = merged(head.headers);
  std::erase_if(headers, [](const auto& entry) { return entry.first == kTunnelStatusHeader; });
  const int carried = nearest_tunnel_status(head.status);
  if (carried != head.status) headers.emplace_back(kTunnelStatusHeader, std::to_string(head.status));
  StringStream stream;
  Packer packer(stream);
  packer.pack_array(2);
  pack_variant(packer, place_in(kTunnelStatuses, carried, 0));
  pack_headers(packer, headers);
  return std::move(stream.out);
}

std::string head_to_header(const WrappedHead& head) { return base64_encode(encode_head(head)); }

shm::Result<WrappedHead> head_from_header(std::string_view text) {
  if (!std::all_of(text.begin(), text.end(), is_base64_character)) {
    return shm::Error{shm::Errc::invalid, "the head is not base64"};
  }
  const auto bytes = base64_decode(text);
  if (!bytes) return shm::Error{shm::Errc::invalid, "the head is not base64"};
  return decode_head(*bytes);
}

int nearest_tunnel_status(int status) {
  if (std::find(std::begin(kTunnelStatuses), std::end(kTunnelStatuses), status) !=
      std::end(kTunnelStatuses)) {
    return status;
  }
  switch (status) {
    case 205:
      return 204;
    case 401:  // who you are, or who may: both say "not you"
    case 402:
    case 407:
    case 451:
      return 403;
    case 410:
      return 404;
    default:
      break;
  }
  if (status >= 200 && status < 300) return 200;
  if (status >= 300 && status < 400) return 307;
  if (status >= 400 && status < 500) return 400;
  return 500;
}

}  // namespace mayfly
