// The tunnel's messages against bytes that real PTTH programs sent or took.
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

TEST(TunnelWire, TheRoundTripOfARealRelay) {
  const std::string bytes = from_hex(
      "9192ba30314d375a38325a48543250323139414a345139305435355746938100c0b02f66696c65732f736d616c6c2e74787481"
      "a4"
      "686f7374dc001272656c61792e6578616d706c653a34313032");
  const auto decoded = decode_requests(bytes);
  ASSERT_TRUE(decoded.ok());
  ASSERT_EQ(decoded.value().size(), 1u);
  const WrappedRequest& request = decoded.value()[0];
  EXPECT_EQ(request.id, "01M7Z82ZHT2P219AJ4Q90T55WF");
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.uri, "/files/small.txt");
  EXPECT_EQ(request.headers, (HttpHeaders{{"host", "relay.example:4102"}}));
  EXPECT_EQ(to_hex(encode_requests(decoded.value())), to_hex(bytes));
}

TEST(TunnelWire, VectorsOfRequests) {
  const std::string confirmed =
      "9192ba303146344236314351463147593339424d354832345352394833938100c0a72f66696c65732f81a4686f73749161";
  EXPECT_EQ(
      to_hex(encode_requests({sample("01F4B61CQF1GY39BM5H24SR9H3", "GET", "/files/", {{"host", "a"}})})),
      confirmed);
  const auto known = decode_requests(from_hex(confirmed));
  ASSERT_TRUE(known.ok());
  EXPECT_EQ(known.value()[0].id, "01F4B61CQF1GY39BM5H24SR9H3");
  EXPECT_EQ(known.value()[0].headers, (HttpHeaders{{"host", "a"}}));

  const std::string binary("\x00\x41\x7f\x80\xc3\xff", 6);
  const std::string bytes = encode_requests({sample("I", "HEAD", "/\xc3\xa9", {{"x-bin", binary}})});
  EXPECT_EQ(to_hex(bytes), "9192a149938101c0a32fc3a981a5782d62696e9600417fcc80ccc3ccff");
  const auto decoded = decode_requests(bytes);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded.value()[0].method, "HEAD");
  EXPECT_EQ(decoded.value()[0].uri, "/\xc3\xa9");
  EXPECT_EQ(decoded.value()[0].headers, (HttpHeaders{{"x-bin", binary}}));

  EXPECT_EQ(to_hex(encode_requests({})), "90");
  EXPECT_TRUE(decode_requests(from_hex("90")).value().empty());
}

TEST(TunnelWire, VectorsOfHeads) {
  EXPECT_EQ(to_hex(encode_head({200, {{"content-type", "text/plain"}}})),
            "928100c081ac636f6e74656e742d747970659a746578742f706c61696e");
  EXPECT_EQ(head_to_header({200, {{"content-type", "text/plain"}}}),
            "koEAwIGsY29udGVudC10eXBlmnRleHQvcGxhaW4=");
  EXPECT_EQ(head_to_header({200, {}}), "koEAwIA=");
  const auto typed = head_from_header("koEAwIGsY29udGVudC10eXBlmnRleHQvcGxhaW4=");
  ASSERT_TRUE(typed.ok());
  EXPECT_EQ(typed.value().status, 200);
  EXPECT_EQ(typed.value().headers, (HttpHeaders{{"content-type", "text/plain"}}));
  const auto empty = head_from_header("koEAwIA=");
  ASSERT_TRUE(empty.ok());
  EXPECT_TRUE(empty.value().headers.empty());
}

TEST(TunnelWire, EveryStatusAndMethodByIndexAndByName) {
  const std::pair<int, std::string> statuses[] = {{200, "Ok"},
                                                  {204, "NoContent"},
                                                  {206, "PartialContent"},
                                                  {304, "NotModified"},
                                                  {307, "TemporaryRedirect"},
                                                  {400, "BadRequest"},
                                                  {403, "Forbidden"},
                                                  {404, "NotFound"},
                                                  {405, "MethodNotAllowed"},
                                                  {416, "RangeNotSatisfiable"},
                                                  {500, "InternalServerError"}};
  std::string index = "00";
  for (const auto& [status, name] : statuses) {
    EXPECT_EQ(to_hex(encode_head({status, {}})), "9281" + index + "c080");
    const std::string text = static_cast<char>(0xa0 + name.size()) + name;
    for (const std::string& form :
         {from_hex("92 81" + index + "c080"), from_hex("9281") + text + from_hex("c080"),
          from_hex("92") + text + from_hex("80")}) {
      const auto head = decode_head(form);
      ASSERT_TRUE(head.ok()) << name;
      EXPECT_EQ(head.value().status, status);
    }
    index[1] = index[1] == '9' ? 'a' : static_cast<char>(index[1] + 1);
  }
  EXPECT_FALSE(decode_head(from_hex("92810bc080")).ok());
  for (const auto& [method, hex] :
       {std::pair{"GET", "8100c0"}, {"HEAD", "8101c0"}, {"POST", "8102c0"}, {"PUT", "8103c0"}}) {
    EXPECT_EQ(encode_requests({sample("a", method, "/", {})}), list_of(hex, "80"));
    EXPECT_EQ(decode_requests(list_of(hex, "80")).value()[0].method, method);
  }
  expect_refused(list_of("8104c0", "80"), "an index beyond the last");
}

TEST(TunnelWire, EnumFormsThatAreTaken) {
  for (const char* key :
       {"00", "cc00", "cd0000", "ce00000000", "cf0000000000000000", "a3476574", "d903476574", "da0003476574",
        "db00000003476574", "c403476574", "c50003476574", "c600000003476574"}) {
    for (const char* head : {"81", "de0001", "df00000001"}) {
      const std::string form = std::string(head) + key + "c0";
      expect_sample(list_of(form, "80"), form);
    }
  }
  for (const char* bare : {"a3476574", "d903476574", "da0003476574", "db00000003476574"}) {
    expect_sample(list_of(bare, "80"), bare);
  }
}

TEST(TunnelWire, EnumFormsThatAreRefused) {
  for (const char* form : {"00",
                           "ccc8",
                           "c8",
                           "cd00c8",
                           "81ccc8c0",
                           "81cd00c8c0",
                           "9100",
                           "9200c0",
                           "810000",
                           "810090",
                           "81d000c0",
                           "81d10000c0",
                           "81d200000000c0",
                           "81d30000000000000000c0",
                           "8104c0",
                           "80",
                           "8200c001c0",
                           "a3676574",
                           "a3474554",
                           "81a3676574c0",
                           "81a3474554c0",
                           "81a0c0",
                           "a0",
                           "c0",
                           "c3",
                           "81c0c0",
                           "81cb0000000000000000c0",
                           "81ffc0",
                           "c403476574",
                           "81a24765c0",
                           "de0000",
                           "810081"}) {
    expect_refused(list_of(form, "80"), form);
  }
}

TEST(TunnelWire, HeaderValueForms) {
  const std::pair<const char*, std::string> taken[] = {
      {"90", ""},
      {"9161", "a"},
      {"91cc61", "a"},
      {"91cd0061", "a"},
      {"91ce00000061", "a"},
      {"91cf0000000000000061", "a"},
      {"91d061", "a"},
      {"91d10061", "a"},
      {"91d200000061", "a"},
      {"91d30000000000000061", "a"},
      {"91ccff", "\xff"},
      {"91d100ff", "\xff"},
      {"dc00026162", "ab"},
      {"dd000000026162", "ab"},
      {"dc0000", ""},
  };
  for (const auto& [form, value] : taken) {
    const auto decoded = decode_requests(list_of("8100c0", "81a178" + std::string(form)));
    ASSERT_TRUE(decoded.ok()) << form;
    EXPECT_EQ(decoded.value()[0].headers, (HttpHeaders{{"x", value}})) << form;
  }
  for (const char* form :
       {"c40161", "a161",   "c0",     "61",       "80",       "816162",       "91c3",
        "91c2",   "91ff",   "91d0ff", "91d1ffff", "91cd0100", "91ca42c20000", "91cb4058400000000000",
        "91c0",   "91a161", "919161", "9261",     "dc0002",   "ddffffffff61", "d40061"}) {
    expect_refused(list_of("8100c0", "81a178" + std::string(form)), form);
  }
  for (const char* headers : {"c0", "90", "9192a17890", "91a178", "a0", "00", "81c090", "810090", "81a1ff90",
                              "81c401ff90", "dfffffffff", "82a17890"}) {
    expect_refused(list_of("8100c0", headers), headers);
  }
  for (const char* headers : {"81a17890", "81d9017890", "81da00017890", "81db000000017890", "81c4017890",
                              "81c500017890", "81c6000000017890", "de0001a17890", "df00000001a17890"}) {
    const auto decoded = decode_requests(list_of("8100c0", headers));
    ASSERT_TRUE(decoded.ok()) << headers;
    EXPECT_EQ(decoded.value()[0].headers, (HttpHeaders{{"x", ""}})) << headers;
  }
}

TEST(TunnelWire, IdsAndUrisInEveryLength) {
  for (const char* form :
       {"a161", "d90161", "da000161", "db0000000161", "c40161", "c5000161", "c60000000161"}) {
    expect_sample(list_of("8100c0", "80", form), form);
  }
  for (const char* form :
       {"a12f", "d9012f", "da00012f", "db000000012f", "c4012f", "c500012f", "c6000000012f"}) {
    expect_sample(list_of("8100c0", "80", "a161", form), form);
  }
  for (const char* form : {"61", "c0", "9161", "a1ff", "c401ff", "80", "d40161"}) {
    expect_refused(list_of("8100c0", "80", form), form);
    expect_refused(list_of("8100c0", "80", "a161", form), form);
  }
}

TEST(TunnelWire, StructForms) {
  const std::string method = "a66d6574686f64", uri = "a3757269", headers = "a768656164657273", id = "a26964",
                    req = "a3726571", other = "a56f74686572";
  const std::string parts = "938100c0a12f80";
  for (const std::string& form : std::vector<std::string>{
           "dc000192a161" + parts,
           "dd0000000192a161" + parts,
           "91dc0002a161" + parts,
           "91dd00000002a161" + parts,
           "9192a161dc00038100c0a12f80",
           "9182" + id + "a161" + req + parts,
           "9182" + req + parts + id + "a161",
           "91de0002" + req + parts + id + "a161",
           "918200a16101" + parts,
           "9182" + std::string("c4026964") + "a161" + req + parts,
           "9183" + other + "9381cb0000000000000000c0a17890" + id + "a161" + req + parts,
           "918309c0" + id + "a161" + req + parts,
           "9192a16183" + headers + "80" + uri + "a12f" + method + "8100c0",
           "9192a161830280" + std::string("01a12f") + "008100c0",
           // trailing bytes, and surplus elements at the very end
           "9192a161" + parts + "ffff",
           "9193a161" + parts + "00",
           "9192a161948100c0a12f80c0",
           "9193a161" + parts,
       }) {
    expect_sample(from_hex(form), form);
  }
  for (const std::string& form : std::vector<std::string>{
           std::string("91"), std::string("9191a161"), std::string("9192a161928100c0a12f"), std::string("c0"),
           std::string("80"), std::string("a161"), std::string(""), std::string("c1"),
           "92"
           "93a161" +
               parts +
               "00"
               "92a161" +
               parts,                                         // surplus in the middle
           "9182" + id + "a161" + id + "a161",                // doubled
           "9183" + id + "a161" + id + "a161" + req + parts,  // doubled
           "9181" + id + "a161",                              // missing
           "9183" + id + "a161" + req + parts,                // truncated
           "9183c0c0" + id + "a161" + req + parts,            // a key that is none
           "918200a161d001" + parts,                          // int8 as a key
           "9292a161" + parts + "92a161938100c0a12f",         // one bad entry spoils the list
       }) {
    expect_refused(from_hex(form), form);
  }
  EXPECT_EQ(decode_head(from_hex("82"
                                 "ab7374617475735f636f6465"
                                 "8107c0" +
                                 headers + "80"))
                .value()
                .status,
            404);
  EXPECT_EQ(decode_head(from_hex("82"
                                 "0180"
                                 "008107c0"))
                .value()
                .status,
            404);
}

}  // namespace
}  // namespace mayfly
