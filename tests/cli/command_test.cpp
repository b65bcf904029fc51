// Parsing: data that looks like options, replies, prepared load.
#include "cli/command.h"

#include <gtest/gtest.h>

#include "cli/load_plan.h"
#include "cli/load_run.h"
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

TEST(LoadBlock, CoversEveryKeyOfEveryDirectory) {
  LoadPlan plan;
  plan.keys = 5;
  plan.directories = 3;
  plan.value_bytes = 10;
  plan.batch_bytes = 1;
  const LoadBlock block(plan);
  EXPECT_EQ(block.records(), 15u);
  const std::string all(block.bytes(0, 15));
  for (int d = 0; d < 3; ++d) EXPECT_NE(all.find("load-log-" + std::to_string(d)), std::string::npos);
  EXPECT_NE(all.find("key-4"), std::string::npos);
}

TEST(LoadBlock, KnowsWhichRecordsAreWhole) {
  const LoadBlock block{LoadPlan{}};
  const auto one = block.bytes(0, 1).size();
  const auto two = block.bytes(0, 2).size();
  EXPECT_EQ(block.fitting(0, 1), 1u) << "one record at least";
  EXPECT_EQ(block.fitting(0, two), 2u);
  EXPECT_EQ(block.whole(0, 2, one - 1), 0u);
  EXPECT_EQ(block.whole(0, 2, one), 1u);
  EXPECT_EQ(block.whole(0, 2, two), 2u);
  EXPECT_EQ(block.fitting(block.records() - 1, 1 << 30), 1u) << "not beyond the end";
}

TEST(LoadResult, IsAccountedWhenEverythingAddsUp) {
  LoadResult result;
  result.counts.sent = 10;
  result.counts.covered = 8;
  result.counts.unknown = 2;
  result.counts.dropped = {{"value_too_long", 3}};
  EXPECT_EQ(result.stored(), 5u);
  EXPECT_TRUE(result.accounted());
  for (const std::uint64_t seen : {5, 6, 7}) {
    result.stored_seen = seen;
    EXPECT_TRUE(result.accounted());
  }
  result.stored_seen = 4;
  EXPECT_FALSE(result.accounted());
  result.stored_seen = 8;
  EXPECT_FALSE(result.accounted());
}

TEST(Latency, IsSummedUpByRank) {
  std::vector<std::uint64_t> samples;
  for (std::uint64_t i = 100; i >= 1; --i) samples.push_back(i);
  const auto summary = summarize(samples);
  EXPECT_EQ(summary.p50, 50u);
  EXPECT_EQ(summary.p99, 99u);
  EXPECT_EQ(summary.max, 100u);
  EXPECT_EQ(summarize({}).samples, 0u);
}

TEST(Table, AlignsColumns) {
  EXPECT_EQ(table({{"NAME", "N"}, {"a", "1"}, {"bcdef", "10"}}), "NAME    N\na       1\nbcdef  10\n");
}

}  // namespace
}  // namespace mayfly::cli
