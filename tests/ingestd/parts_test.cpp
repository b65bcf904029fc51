// The parts of ingestd that need no segment.
#include <gtest/gtest.h>

#include "ingestd/buffer.h"
#include "ingestd/command_table.h"
#include "ingestd/inline_line.h"
#include "ingestd/native_output.h"
#include "ingestd/options.h"
#include "ingestd/rule_set.h"
#include "ingestd/transaction_queue.h"
#include "tests/ingestd/ingest_fixture.h"

namespace mayfly::ingestd {
namespace {

using Strings = std::vector<std::string>;

struct Entry {
  std::string_view name;
};

TEST(CommandTable, FindsInAnyLetterCaseAndNothingElse) {
  static constexpr Entry kEntries[] = {{"LOG"}, {"HINCRBYFLOAT"}, {"STATUSES"}, {"NO-EVICT"}};
  const CommandTable<Entry> table(kEntries);
  for (const char* name : {"LOG", "log", "lOg", "hincrbyfloat", "HINCRBYFLOAT", "statuses", "no-evict"}) {
    EXPECT_NE(table.find(name), nullptr) << name;
  }
  for (const char* name :
       {"", "LO", "LOGG", "hincrbyfloaT2", "hincrbyflo\xe1t", "\x4c\x4f\x27", "no\rEVICT"}) {
    EXPECT_EQ(table.find(name), nullptr) << name;
  }
}

TEST(CommandTable, PrefixFoldsLettersOnly) {
  for (int c = 0; c < 256; ++c) {
    const char one = static_cast<char>(c);
    const char folded = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : one;
    const std::string text{'x', one, 'Z', one};
    const std::string wanted{'X', folded, 'Z', folded};
    std::uint64_t expected = 0;
    std::memcpy(&expected, wanted.data(), wanted.size());
    EXPECT_EQ(command_prefix(text), expected) << c;
  }
}

Strings split(const std::string& line, std::size_t max_parts) {
  std::vector<RespArgument> parts;
  split_inline(line, max_parts, parts);
  Strings found;
  for (const RespArgument& part : parts) found.push_back(line.substr(part.offset, part.length));
  return found;
}

TEST(InlineLine, SplitsAtSingleSpaces) {
  EXPECT_EQ(split("LOG a b c d", 4), (Strings{"LOG", "a", "b", "c d"}));
  EXPECT_EQ(split("LOG  b c", 4), (Strings{"LOG", "", "b", "c"}));
  EXPECT_EQ(split("LOG a b ", 4), (Strings{"LOG", "a", "b", ""}));
  EXPECT_EQ(split("LOG", 4), (Strings{"LOG"}));
  EXPECT_EQ(split("PING a b", 1), (Strings{"PING a b"}));
}

TEST(InlineLine, Http) {
  EXPECT_TRUE(looks_like_http("GET / HTTP/1.1"));
  EXPECT_TRUE(looks_like_http("post /x"));
  EXPECT_TRUE(looks_like_http("Host: a"));
  EXPECT_FALSE(looks_like_http("GET key"));
  EXPECT_FALSE(looks_like_http("LOG demo k GET / HTTP/1.1"));
}

std::string drain(NativeOutput& output) {
  std::string all;
  for (std::string_view next = output.pending(); !next.empty(); next = output.pending()) {
    all.append(next);
    output.sent(next.size());
  }
  return all;
}

TEST(NativeOutput, KeepsOrderWhileThereIsRoom) {
  NativeOutput output;
  output.notice(Service::go);
  output.error("ERR a");
  output.pong();
  output.reply("$1\r\nx\r\n");
  EXPECT_EQ(drain(output), "+GO\r\n-ERR a\r\n+PONG\r\n$1\r\nx\r\n");
  EXPECT_EQ(drain(output), "");
}

TEST(NativeOutput, IsBoundedAndLosesNoPong) {
  NativeOutput output;
  for (int i = 0; i < 10'000; ++i) {
    output.error("ERR nonsense");
    output.pong();
    output.reply(std::string(500, 'x') + "\r\n");
    EXPECT_LE(output.pending().size(), NativeOutput::kLimit);
  }
  output.notice(Service::paused);
  output.notice(Service::go);
  output.notice(Service::memory);
  const std::string all = drain(output);
  std::size_t pongs = 0;
  for (std::size_t at = all.find("+PONG"); at != std::string::npos; at = all.find("+PONG", at + 1)) ++pongs;
  EXPECT_EQ(pongs, 10'000u);
  EXPECT_NE(all.find("-ERR output full: left out "), std::string::npos);
  EXPECT_EQ(all.substr(all.size() - service_line(Service::memory).size()), service_line(Service::memory));
  EXPECT_EQ(all.find("paused"), std::string::npos);
}

TEST(Buffer, CountsAgainstTheAccount) {
  BufferAccount account(10'000);
  {
    Buffer first(account);
    EXPECT_TRUE(first.reserve(100));
    EXPECT_EQ(account.used(), 0u);
    EXPECT_TRUE(first.assign(std::string(6000, 'x').data(), 6000));
    Buffer second(account);
    EXPECT_FALSE(second.reserve(6000));
    EXPECT_TRUE(second.reserve(2000));
    first.set_size(10);
    first.shrink();
    EXPECT_TRUE(second.reserve(6000));
    EXPECT_EQ(first.view(), std::string(10, 'x'));
  }
  EXPECT_EQ(account.used(), 0u);
}

TEST(TransactionQueue, GivesBackWhatWasAdded) {
  BufferAccount account(1 << 20);
  TransactionQueue queue(account);
  const std::string data = "HSETdirk";
  const std::vector<RespArgument> items = {{0, 4}, {4, 3}, {7, 1}, {RespArgument::kSkipped, 99}};
  ASSERT_TRUE(queue.add({data.data(), items}));
  ASSERT_TRUE(queue.add({data.data(), std::span(items).first(1)}));
  EXPECT_EQ(queue.commands(), 2u);
  std::vector<RespArgument> scratch;
  std::size_t position = 0;
  const RespArguments first = queue.read(position, scratch);
  ASSERT_EQ(first.size(), 4u);
  EXPECT_EQ(first[2], "k");
  EXPECT_TRUE(first.skipped(3));
  EXPECT_EQ(first.bytes(3), 99u);
  EXPECT_EQ(queue.read(position, scratch)[0], "HSET");
  queue.clear();
  EXPECT_EQ(account.used(), 0u);
}

TEST(RuleSet, SameNamesWhereOnlyQuotasDiffer) {
  shm::Quotas other;
  other.max_keys = 3;
  const std::vector<shm::Rule> base = {exact(shm::Kind::log, "a"), pattern(shm::Kind::log, "b*")};
  auto changed = base;
  changed[0].quotas = other;
  EXPECT_TRUE(RuleSet(1, base).allows_the_same(RuleSet(1, changed)));
  EXPECT_FALSE(RuleSet(1, base).allows_the_same(RuleSet(2, base)));
  changed[1].max_directories = 1;
  EXPECT_FALSE(RuleSet(1, base).allows_the_same(RuleSet(1, changed)));
  changed.pop_back();
  EXPECT_FALSE(RuleSet(1, base).allows_the_same(RuleSet(1, changed)));
}

ParsedOptions parse(Strings arguments) {
  std::vector<const char*> argv = {"ingestd"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  return parse_options(static_cast<int>(argv.size()), argv.data());
}

TEST(Options, FlagsAndTheirErrors) {
  const ParsedOptions good = parse({"--memory", "64MiB", "--workers", "3", "--redis", "none", "--unix-mode",
                                    "0600", "--runtime-dir", "/dev/shm/x"});
  ASSERT_FALSE(good.exit_code) << good.text;
  EXPECT_EQ(good.options.memory, 64u << 20);
  EXPECT_EQ(good.options.workers, 3u);
  EXPECT_EQ(good.options.redis, "none");
  EXPECT_EQ(good.options.unix_mode, 0600u);
  EXPECT_EQ(good.options.runtime_dir, "/dev/shm/x");
  for (const Strings& wrong : std::vector<Strings>{{"--memory", "much"},
                                                   {"--memory", "-1"},
                                                   {"--workers", "0"},
                                                   {"--workers", "16"},
                                                   {"--unix-mode", "0999"},
                                                   {"--log-level", "loud"},
                                                   {"--nonsense"},
                                                   {"--config", "/nonexistent/ingestd.yaml"}}) {
    const ParsedOptions parsed = parse(wrong);
    EXPECT_EQ(parsed.exit_code.value_or(-1), 2) << wrong[0];
    EXPECT_FALSE(parsed.text.empty());
  }
  EXPECT_EQ(parse({"--help"}).exit_code.value_or(-1), 0);
  EXPECT_EQ(parse({"--version"}).exit_code.value_or(-1), 0);
}

TEST(Options, FileIsStrictAndFlagsWin) {
  const TempDir dir;
  const std::string path = dir.path() + "/ingestd.yaml";
  const auto write = [&path](const std::string& text) {
    std::FILE* file = std::fopen(path.c_str(), "w");
    std::fputs(text.c_str(), file);
    std::fclose(file);
  };
  write("memory: 32MiB\nworkers: 2\nmax_connections: 7\nfirst_command_timeout: 10s\nunix_mode: \"0640\"\n");
  const ParsedOptions good = parse({"--config", path, "--memory", "48MiB"});
  ASSERT_FALSE(good.exit_code) << good.text;
  EXPECT_EQ(good.options.memory, 48u << 20);
  EXPECT_EQ(good.options.limits.max_connections, 7u);
  EXPECT_EQ(good.options.limits.first_command_timeout.count(), 10);
  EXPECT_EQ(good.options.unix_mode, 0640u);
  write("memory: 32MiB\nworkerz: 2\n");
  const ParsedOptions wrong = parse({"--config", path});
  EXPECT_EQ(wrong.exit_code.value_or(-1), 2);
  EXPECT_NE(wrong.text.find(path + ":2:1"), std::string::npos) << wrong.text;
}

TEST(Options, LimitsFollowTheMachine) {
  EXPECT_EQ(connection_limit(10'000, 1024), 960u);
  EXPECT_EQ(connection_limit(100, 1 << 20), 100u);
  EXPECT_EQ(connection_limit(100, 20), 10u);
  EXPECT_LE(default_memory("/dev/shm", "/nonexistent"), 256u << 20);
}

}  // namespace
}  // namespace mayfly::ingestd
