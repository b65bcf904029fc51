// The tunnel's messages: sizes, hostile bytes, what is put right on the way.
#include "common/tunnel_wire.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/common/tunnel_bytes.h"

namespace mayfly {
namespace {

using test::expect_refused;
using test::expect_sample;
using test::from_hex;
using test::list_of;
using test::sample;
using test::to_hex;

TEST(TunnelWire, AnyTruncationIsRefused) {
  const std::string bytes =
      encode_requests({sample("0123456789", "GET", "/x", {{"a", "bc"}, {"d", std::string(300, 'e')}}),
                       sample("2", "HEAD", "/", {})});
  ASSERT_TRUE(decode_requests(bytes).ok());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_requests(std::string_view(bytes).substr(0, size)).ok()) << size;
  }
}

TEST(TunnelWire, LargeMessagesInTheirSmallestForms) {
  std::vector<WrappedRequest> requests(300, sample("id", "GET", "/" + std::string(70000, 'u'), {}));
  requests[0].headers = {{"long", std::string(70000, 'v')}, {"mid", std::string(16, 'v')}};
  for (int i = 0; i < 20; ++i) requests[1].headers.emplace_back("h" + std::to_string(i), "");
  const std::string bytes = encode_requests(requests);
  EXPECT_EQ(to_hex(bytes.substr(0, 3)), "dc012c");
  const auto decoded = decode_requests(bytes);
  ASSERT_TRUE(decoded.ok());
  ASSERT_EQ(decoded.value().size(), 300u);
  EXPECT_EQ(decoded.value()[0].headers, requests[0].headers);
  EXPECT_EQ(decoded.value()[1].headers, requests[1].headers);
  EXPECT_EQ(decoded.value()[299].uri, requests[299].uri);
}

TEST(TunnelWire, HostileSizesCostNothing) {
  expect_refused(from_hex("ddffffffff"), "a list of 2^32");
  expect_refused(from_hex("dd00010001") + std::string(70000, '\x90'), "more requests than are allowed");
  expect_refused(list_of("8100c0", "dfffffffff"), "a map of 2^32");
  expect_refused(list_of("8100c0", "81a178ddffffffff"), "a value of 2^32");
  expect_refused(list_of("8100c0", "80", "dbffffffff61"), "an id of 2^32");
  std::string many = "de0401";
  for (int i = 0; i < 0x401; ++i) many += "a17890";
  expect_refused(list_of("8100c0", many), "more headers than are allowed");
  // An unknown field nested a million deep is passed over without recursion.
  const std::string deep(1 << 20, '\x91');
  expect_sample(from_hex("9183a178") + deep + from_hex("c0a26964a161a3726571938100c0a12f80"),
                "a deep unknown field");
  expect_refused(from_hex("9183a178") + deep, "a deep unknown field without an end");
  expect_refused(deep, "deep nesting in place of a request");
}

TEST(TunnelWire, HeadersOnceEachInLowerCase) {
  const auto decoded = decode_requests(encode_requests({sample("a", "GET", "/",
                                                               {{"X-Rep", "one"},
                                                                {"x-rep", "two"},
                                                                {"Cookie", "a=1"},
                                                                {"cookie", "b=2"},
                                                                {"Host", "first"},
                                                                {"host", "second"}})}));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded.value()[0].headers,
            (HttpHeaders{{"x-rep", "one, two"}, {"cookie", "a=1; b=2"}, {"host", "first"}}));
  // Read: the last of equal names, whatever their case.
  const auto doubled = decode_requests(list_of("8100c0", "83a1789161a1589162a1799163"));
  ASSERT_TRUE(doubled.ok());
  EXPECT_EQ(doubled.value()[0].headers, (HttpHeaders{{"x", "b"}, {"y", "c"}}));
}

TEST(TunnelWire, StatusesThatTheTunnelLacks) {
  const std::pair<int, int> nearest[] = {{200, 200}, {201, 200}, {205, 204}, {302, 307}, {308, 307},
                                         {304, 304}, {401, 403}, {407, 403}, {410, 404}, {413, 400},
                                         {421, 400}, {429, 400}, {416, 416}, {500, 500}, {501, 500},
                                         {503, 500}, {504, 500}, {101, 500}};
  for (const auto& [exact, carried] : nearest) {
    EXPECT_EQ(nearest_tunnel_status(exact), carried);
    const auto head = decode_head(encode_head({exact, {{"x", "y"}}}));
    ASSERT_TRUE(head.ok());
    EXPECT_EQ(head.value().status, exact == 101 ? 500 : exact);
    EXPECT_EQ(head.value().headers, (HttpHeaders{{"x", "y"}}));
  }
  // 500 and mayfly-status: 503, as a stock relay passes it on.
  EXPECT_EQ(to_hex(encode_head({503, {}})), "92810ac081ad6d6179666c792d73746174757393353033");
  // A status of its own is believed only where it fits the carried one.
  for (const char* lie : {"204", "304", "200", "999", "099", "1000", "", "4 4", "-04", "404"}) {
    std::string bytes = from_hex("92810ac081ad6d6179666c792d737461747573");
    bytes += static_cast<char>(0x90 + std::string(lie).size());
    bytes += lie;
    const auto lied = decode_head(bytes);
    ASSERT_TRUE(lied.ok()) << lie;
    EXPECT_EQ(lied.value().status, 500) << lie;
    EXPECT_TRUE(lied.value().headers.empty()) << lie;
  }
}

TEST(TunnelWire, HeadersThatNoMessageCouldCarry) {
  for (const char* name : {"", "a b", "a:", "a\r\nb", "a\xc3\xa9", "a\t"}) {
    EXPECT_FALSE(decode_head(encode_head({200, {{name, "v"}}})).ok()) << name;
  }
  for (const std::string& value : {std::string("a\rb"), std::string("a\nb"), std::string("\0", 1),
                                   std::string("\x1b"), std::string("\x7f")}) {
    EXPECT_FALSE(decode_head(encode_head({200, {{"n", value}}})).ok());
  }
  EXPECT_EQ(decode_head(encode_head({200, {{"n", "\x80\xff\t "}}})).value().headers[0].second, "\x80\xff\t ");
}

TEST(TunnelWire, Base64OfTheHead) {
  EXPECT_TRUE(head_from_header("koEAwIA").ok());  // padding may be missing
  for (const char* text :
       {"", "koEAwIA==", "koEA wIA=", "koEAwIA=\n", "k", "koEAwI*=", "=koEAwIA", "kA==oEAw"}) {
    EXPECT_FALSE(head_from_header(text).ok()) << text;
  }
  // 0xfb 0xef 0xff in a value: "++//" in the standard alphabet, "--__" in the URL-safe one.
  const std::string standard = head_to_header({200, {{"xx", "\xfb\xef\xbe\xff"}}});
  std::string url_safe = standard;
  ASSERT_NE(url_safe.find_first_of("+/"), std::string::npos) << standard;
  for (char& c : url_safe) c = c == '+' ? '-' : c == '/' ? '_' : c;
  EXPECT_TRUE(head_from_header(standard).ok());
  EXPECT_FALSE(head_from_header(url_safe).ok());
}

}  // namespace
}  // namespace mayfly
