// Bytes as the tunnel's tests write them.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "common/tunnel_wire.h"

namespace mayfly::test {

inline std::string from_hex(std::string_view hex) {
  std::string out;
  std::string digits;
  for (const char c : hex) {
    if (c == ' ') continue;
    digits += c;
    if (digits.size() < 2) continue;
    out += static_cast<char>(std::stoi(digits, nullptr, 16));
    digits.clear();
  }
  return out;
}

inline std::string to_hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

inline WrappedRequest sample(const std::string& id, const std::string& method, const std::string& uri,
                             HttpHeaders headers) {
  return {id, method, uri, std::move(headers)};
}

/// [[ID, [METHOD, URI, HEADERS]]] with "a" and "/" where the test says nothing.
inline std::string list_of(const std::string& method, const std::string& headers,
                           const std::string& id = "a161", const std::string& uri = "a12f") {
  return from_hex("91 92 " + id + " 93 " + method + uri + headers);
}

inline void expect_sample(std::string_view bytes, const std::string& what) {
  const auto decoded = decode_requests(bytes);
  ASSERT_TRUE(decoded.ok()) << what << ": " << decoded.error().text;
  ASSERT_EQ(decoded.value().size(), 1u) << what;
  EXPECT_EQ(decoded.value()[0].id, "a") << what;
  EXPECT_EQ(decoded.value()[0].method, "GET") << what;
  EXPECT_EQ(decoded.value()[0].uri, "/") << what;
}

inline void expect_refused(std::string_view bytes, const std::string& what) {
  EXPECT_FALSE(decode_requests(bytes).ok()) << what;
}

}  // namespace mayfly::test
