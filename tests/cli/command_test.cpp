// Parsing: data that looks like options, replies.
#include "cli/command.h"

#include <gtest/gtest.h>

#include "cli/output.h"
#include "cli/reply_parser.h"
#include "cli/resp_writer.h"
#include "cli/write_target.h"

namespace mayfly::cli {
namespace {

using Words = std::vector<std::string>;

TEST(DataArguments, MayLookLikeOptions) {
  EXPECT_EQ(protect_data_arguments({"set", "web", "temp", "-5"}), (Words{"set", "--", "web", "temp", "-5"}));
  EXPECT_EQ(protect_data_arguments({"log", "demo", "k", "--unheard-of"}),
            (Words{"log", "--", "demo", "k", "--unheard-of"}));
}

TEST(DataArguments, KeepOptionsOfOursWhereverTheyStand) {
  EXPECT_EQ(protect_data_arguments({"--json", "set", "web", "--runtime-dir", "/x", "k", "v"}),
            (Words{"--json", "set", "--runtime-dir", "/x", "--", "web", "k", "v"}));
  EXPECT_EQ(protect_data_arguments({"log", "d", "k", "--", "--json"}),
            (Words{"log", "--", "d", "k", "--json"}));
}

TEST(DataArguments, LeaveOtherCommandsAlone) {
  const Words tail = {"tail", "-f", "demo", "-n", "5"};
  EXPECT_EQ(protect_data_arguments(tail), tail);
  EXPECT_EQ(protect_data_arguments({}), Words{});
}

TEST(Run, TellsWrongUseByItsExitCode) {
  for (const Words& arguments :
       {Words{}, Words{"unheard-of"}, Words{"set", "web"}, Words{"tail"}, Words{"tail", "d", "-n", "x"},
        Words{"ls", "tables"}, Words{"load", "--size", "-1"}, Words{"log", "a", "b", "c", "d"}}) {
    EXPECT_EQ(run(arguments), kUsage);
  }
}

TEST(ReplyParser, CutsRepliesHoweverTheyArrive) {
  const std::string all = "+GO\r\n-ERR no\r\n:12\r\n$5\r\na\r\nbc\r\n*2\r\n$7\r\nstopped\r\n:3\r\n+PONG\r\n";
  for (std::size_t step = 1; step <= all.size(); ++step) {
    ReplyParser parser;
    std::vector<Reply> replies;
    for (std::size_t i = 0; i < all.size(); i += step) {
      parser.feed(std::string_view(all).substr(i, step));
      while (auto reply = parser.next()) replies.push_back(*reply);
    }
    ASSERT_EQ(replies.size(), 6u);
    EXPECT_EQ(replies[1].text, "ERR no");
    EXPECT_EQ(replies[3].text, "a\r\nbc");
    EXPECT_EQ(replies[4].items, (Words{"stopped", "3"}));
    EXPECT_EQ(replies[5].text, "PONG");
  }
}

TEST(ReplyParser, GivesUpOnWhatIsNoReply) {
  for (const char* text : {"HTTP/1.1 400\r\n", "\r\n", "$-5\r\n", "$99999999999\r\n", "*x\r\n"}) {
    ReplyParser parser;
    parser.feed(text);
    EXPECT_FALSE(parser.next().has_value());
    EXPECT_TRUE(parser.failed()) << text;
  }
}

TEST(WriteTarget, TakesAddressesAndPaths) {
  EXPECT_EQ(parse_target("127.0.0.1:4717").value()[0].address.ss_family, AF_INET);
  EXPECT_EQ(parse_target("[::1]:4717").value()[0].address.ss_family, AF_INET6);
  EXPECT_EQ(parse_target("/run/x.sock").value()[0].address.ss_family, AF_UNIX);
  EXPECT_EQ(parse_target("unix:x.sock").value()[0].text, "x.sock");
  for (const auto& text : Words{"", "4717", ":4717", "host:", "/" + std::string(200, 'x')}) {
    EXPECT_FALSE(parse_target(text).ok()) << text;
  }
}

TEST(Table, AlignsColumns) {
  EXPECT_EQ(table({{"NAME", "N"}, {"a", "1"}, {"bcdef", "10"}}), "NAME    N\na       1\nbcdef  10\n");
}

}  // namespace
}  // namespace mayfly::cli
