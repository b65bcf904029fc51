// `mayfly load`: what it sends, how it counts what was answered, and what it says held it back.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <functional>
#include <thread>

#include "cli/load_connection.h"
#include "cli/load_limit.h"
#include "cli/load_plan.h"
#include "cli/load_run.h"
#include "cli/redis_replies.h"
#include "supervisor/sockets.h"

namespace mayfly::cli {
namespace {

using supervisor::Fd;

LoadPlan small_plan(Dialect dialect) {
  LoadPlan plan;
  plan.dialect = dialect;
  plan.keys = 3;
  plan.directories = 2;
  plan.value_bytes = 4;
  return plan;
}

LoadBlock make_block(const LoadPlan& plan) { return LoadBlock::make(plan).value(); }

std::string sent_between(const LoadBlock& block, std::uint64_t begin, std::uint64_t end) {
  std::string all;
  while (begin < end) {
    const auto piece = block.piece(begin, end - begin);
    all += piece;
    begin += piece.size();
  }
  return all;
}

std::size_t count_of(std::string_view text, std::string_view what) {
  std::size_t count = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

TEST(LoadBlock, HoldsEachKeyOfEachDirectoryInEveryDialect) {
  for (const auto dialect : {Dialect::resp, Dialect::line, Dialect::redis}) {
    const auto block = make_block(small_plan(dialect));
    const auto text = sent_between(block, 0, block.place_of(6));
    for (const char* directory : {"load-log-0", "load-log-1"})
      EXPECT_EQ(count_of(text, directory), 3u) << text;
    for (const char* key : {"key-0", "key-1", "key-2"}) EXPECT_EQ(count_of(text, key), 2u) << text;
  }
}

TEST(LoadBlock, PlacesAndRecordsAgreeOverRounds) {
  const auto block = make_block(small_plan(Dialect::resp));
  const auto n = block.records();
  for (const std::uint64_t records : {std::uint64_t{0}, std::uint64_t{1}, n - 1, n, n + 1, 3 * n + 7}) {
    const auto place = block.place_of(records);
    EXPECT_EQ(block.whole_at(place), records);
    EXPECT_EQ(block.boundary(place), place);
    const auto cut = block.boundary(place + 1);
    EXPECT_GT(cut, place);
    EXPECT_LE(block.whole_at(cut), records + 1);
    EXPECT_EQ(block.whole_at(place + 1), records);
  }
}

TEST(LoadBlock, BarriersAreCountedWithTheRecordsBeforeThem) {
  const auto block = make_block(small_plan(Dialect::resp));
  const auto round = block.place_of(block.records());
  const auto text = sent_between(block, 0, round);
  const auto barriers = count_of(text, kLoadBarrier);
  ASSERT_GE(barriers, 1u);
  EXPECT_EQ(block.barriers_at(round), barriers);
  EXPECT_EQ(block.records_before(barriers - 1), block.records());
  EXPECT_EQ(block.records_before(2 * barriers - 1), 2 * block.records());
  const auto first = text.find(kLoadBarrier);
  EXPECT_EQ(block.barriers_at(first + kLoadBarrier.size() - 1), 0u);
  EXPECT_EQ(block.barriers_at(first + kLoadBarrier.size()), 1u);
  EXPECT_EQ(block.boundary(first + 1), first + kLoadBarrier.size());
  EXPECT_EQ(count_of(sent_between(make_block(small_plan(Dialect::redis)), 0, 1 << 20), "PING"), 0u);
}

TEST(LoadBlock, TooMuchForOneRoundIsRefused) {
  auto plan = small_plan(Dialect::resp);
  plan.keys = 1000;
  plan.value_bytes = 16 << 20;
  const auto block = LoadBlock::make(plan);
  ASSERT_FALSE(block);
  EXPECT_NE(block.error().text.find("1 GiB"), std::string::npos);
}

TEST(RedisReplies, AreCountedHoweverTheyAreCut) {
  const std::string all =
      "+OK\r\n:1\r\n$5\r\n1-234\r\n-QUOTA value_too_long no\r\n-ERR unknown command\r\n$2\r\n-1\r\n";
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    RedisReplies replies;
    DropMap dropped;
    const auto before = replies.count(std::string_view(all).substr(0, cut), dropped);
    EXPECT_EQ(before + replies.count(std::string_view(all).substr(cut), dropped), 6u) << cut;
    EXPECT_EQ(dropped, (DropMap{{"err", 1}, {"value_too_long", 1}})) << cut;
  }
}

/// A server that takes all and answers what it is told to.
class Server {
 public:
  Server() : listener_(supervisor::listen_tcp("server", 0, "--server")) {}
  std::vector<WriteTarget> targets() const { return parse_target(listener_.value().address).value(); }
  Fd accept() {
    pollfd one{listener_.value().fd.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&one, 1, 20'000), 1);
    return Fd(::accept4(one.fd, nullptr, nullptr, SOCK_CLOEXEC));
  }

 private:
  shm::Result<supervisor::Listener> listener_;
};

std::string read_bytes(const Fd& fd, std::size_t count) {
  std::string all(count, 0);
  std::size_t have = 0;
  while (have < count) {
    const auto n = ::recv(fd.get(), all.data() + have, count - have, 0);
    if (n <= 0) break;
    have += static_cast<std::size_t>(n);
  }
  all.resize(have);
  return all;
}

void reply_with(const Fd& fd, const std::string& text) {
  ASSERT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

bool until(LoadConnection& connection, const std::function<bool()>& holds) {
  const auto deadline = LoadConnection::Clock::now() + std::chrono::seconds(20);
  while (!holds() && LoadConnection::Clock::now() < deadline) {
    connection.work(POLLIN, 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return holds();
}

TEST(LoadConnection, WhatNoPongCoversIsUnknownAndACutRecordIsSentAgain) {
  const auto plan = small_plan(Dialect::resp);
  const auto block = make_block(plan);
  Server server;
  const auto targets = server.targets();
  LoadConnection connection(plan, block, targets, 0);
  connection.work(0, 10);
  {
    const Fd fd = server.accept();
    EXPECT_EQ(read_bytes(fd, block.place_of(10)), sent_between(block, 0, block.place_of(10)));
    EXPECT_EQ(connection.begun(), 10u);
    // A PONG that nobody asked for covers nothing.
    reply_with(fd, "+GO\r\n+PONG\r\n");
  }
  ASSERT_TRUE(until(connection, [&] { return connection.counts().breaks == 1; }));
  EXPECT_EQ(connection.counts().unknown, 10u);

  ASSERT_TRUE(until(connection, [&] { return connection.fd() >= 0; }));
  connection.work(0, 5);
  const Fd fd = server.accept();
  EXPECT_EQ(read_bytes(fd, block.place_of(15) - block.place_of(10)),
            sent_between(block, block.place_of(10), block.place_of(15)));
  EXPECT_FALSE(connection.finish());
  EXPECT_EQ(read_bytes(fd, kLoadBarrier.size()), kLoadBarrier);
  reply_with(fd, "*4\r\n$7\r\nstopped\r\n:2\r\n$9\r\nno_memory\r\n:0\r\n+PONG\r\n");
  ASSERT_TRUE(until(connection, [&] { return connection.finish(); }));
  const auto counts = connection.counts();
  EXPECT_EQ(counts.sent, 15u);
  EXPECT_EQ(counts.covered, 5u);
  EXPECT_EQ(counts.unknown, 10u);
  EXPECT_EQ(counts.dropped_total(), 2u);
}

TEST(LoadConnection, InTheRedisDialectEachReplyIsARecord) {
  const auto plan = small_plan(Dialect::redis);
  const auto block = make_block(plan);
  Server server;
  const auto targets = server.targets();
  LoadConnection connection(plan, block, targets, 1);
  connection.work(0, 4);
  const Fd fd = server.accept();
  const auto begin = block.place_of(1), end = block.place_of(5);
  EXPECT_EQ(read_bytes(fd, end - begin), sent_between(block, begin, end));
  reply_with(fd, "$3\r\n1-1\r\n-QUOTA no_memory none\r\n$3\r\n1-3\r\n");
  ASSERT_TRUE(until(connection, [&] { return connection.counts().covered == 3; }));
  EXPECT_FALSE(connection.finish());
  reply_with(fd, "$3\r\n1-4\r\n");
  ASSERT_TRUE(until(connection, [&] { return connection.finish(); }));
  EXPECT_EQ(connection.counts().sent, 4u);
  EXPECT_EQ(connection.counts().dropped, (DropMap{{"no_memory", 1}}));
  EXPECT_EQ(connection.counts().unknown, 0u);
}

TEST(LoadResult, IsAccountedWhenEverythingAddsUp) {
  LoadResult result;
  result.effort.counts.sent = 10;
  result.effort.counts.covered = 8;
  result.effort.counts.unknown = 2;
  result.effort.counts.dropped = {{"value_too_long", 3}};
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

TEST(LoadLimit, SaysWhoHeldItBack) {
  const auto limit = [](double sender, double waited, std::optional<double> server, double rate = 0) {
    return limit_name(find_limit({sender, waited, server, rate, 1.0}));
  };
  EXPECT_EQ(limit(0.1, 0, 0.1, 0.999), "rate");
  EXPECT_EQ(limit(0.6, 0.4, 0.99), "server");
  EXPECT_EQ(limit(0.6, 0.4, std::nullopt), "server");
  EXPECT_EQ(limit(0.99, 0.01, 0.7, 0.5), "this_program");
  EXPECT_EQ(limit(0.5, 0.01, 0.5), "machine");
  EXPECT_EQ(limit(0.5, 0.5, 0.5), "machine");
  EXPECT_EQ(limit_name(find_limit({1, 0, 1, 0, 0.001})), "");
}

TEST(LoadLimit, ReadsAProcessesClock) {
  const auto before = process_cpu_ns(::getpid());
  ASSERT_TRUE(before);
  const auto thread = thread_cpu_ns();
  while (thread_cpu_ns() < thread + 5'000'000) {
  }
  EXPECT_GE(*process_cpu_ns(::getpid()), *before + 5'000'000);
  EXPECT_FALSE(process_cpu_ns(0));
}

}  // namespace
}  // namespace mayfly::cli
