// The Redis listener, through real sockets.
#include "tests/ingestd/ingest_fixture.h"

namespace mayfly::ingestd {
namespace {

using shm::DropCause;
using shm::Kind;
using Strings = std::vector<std::string>;

class RedisTest : public IngestTest {
 protected:
  void SetUp() override {
    IngestTest::SetUp();
    start_server();
    publish({exact(Kind::log, "lines"), exact(Kind::status, "web"), pattern(Kind::status, "app-*", 2)});
    client_ = redis();
  }
  std::string ask(const Strings& arguments) { return client_.ask(resp(arguments)); }
  Client client_;
};

TEST_F(RedisTest, Hset_CountsPairs) {
  EXPECT_EQ(ask({"HSET", "web", "pid", "123"}), ":1\r\n");
  EXPECT_EQ(ask({"hset", "web", "a", "1", "b", "2"}), ":2\r\n");
  EXPECT_EQ(records(Kind::status, "web"), (Strings{"pid=123", "a=1", "b=2"}));
}

TEST_F(RedisTest, Hset_ManyPairsSpanBatches) {
  Strings arguments{"HSET", "web"};
  for (int i = 0; i < 500; ++i) {
    arguments.push_back("k" + std::to_string(i));
    arguments.push_back("v");
  }
  EXPECT_EQ(client_.ask(resp(arguments) + resp({"PING"})), ":500\r\n");
  EXPECT_EQ(client_.line(), "+PONG");
  EXPECT_EQ(records(Kind::status, "web").size(), 500u);
}

TEST_F(RedisTest, Hset_OneDropIsToldWithItsCause) {
  EXPECT_EQ(ask({"HSET", "web", "a", "1", std::string(2000, 'k'), "2", "b", std::string(2000, 'v')}),
            "-QUOTA key_too_long 2 of 3 dropped\r\n");
  EXPECT_EQ(records(Kind::status, "web"), Strings{"a=1"});
  EXPECT_EQ(ask({"HSET", "nowhere", "a", "1"}), "-QUOTA unknown_directory 1 of 1 dropped\r\n");
  EXPECT_EQ(ask({"HSET", "web", "a"}), "-ERR wrong number of arguments for 'hset' command\r\n");
  EXPECT_EQ(ask({"HSET", "web", "a", "1", "b"}), "-ERR wrong number of arguments for 'hset' command\r\n");
}

TEST_F(RedisTest, Hdel_CountsRemoved) {
  ask({"HSET", "web", "a", "1", "b", "2", "c", "3"});
  EXPECT_EQ(ask({"HDEL", "web", "a", "x", "c"}), ":2\r\n");
  EXPECT_EQ(records(Kind::status, "web"), Strings{"b=2"});
  EXPECT_EQ(ask({"HDEL", "app-1", "a"}), ":0\r\n");
  EXPECT_EQ(ask({"HDEL", "nowhere", "a"}), "-QUOTA unknown_directory 1 of 1 dropped\r\n");
}

TEST_F(RedisTest, Xadd_OneRecordPerField) {
  const std::string first = ask({"XADD", "lines", "*", "line", "a b"});
  ASSERT_EQ(first.front(), '$');
  EXPECT_NE(first.find("-1\r\n"), std::string::npos) << first;
  const std::string second =
      ask({"XADD", "lines", "MAXLEN", "~", "1000", "LIMIT", "10", "5-1", "x", "1", "y", "2"});
  EXPECT_NE(second.find("-3\r\n"), std::string::npos) << second;
  EXPECT_EQ(ask({"XADD", "lines", "NOMKSTREAM", "MINID", "=", "7", "*", "z", "3"}).front(), '$');
  EXPECT_EQ(records(Kind::log, "lines"), (Strings{"line=a b", "x=1", "y=2", "z=3"}));
}

TEST_F(RedisTest, Xadd_RefusesWhatRedisRefuses) {
  EXPECT_EQ(ask({"XADD", "lines", "*", "odd", "1", "2"}),
            "-ERR wrong number of arguments for 'xadd' command\r\n");
  EXPECT_EQ(ask({"XADD", "lines", "no-id", "k", "v"}),
            "-ERR Invalid stream ID specified as stream command argument\r\n");
  EXPECT_EQ(ask({"XADD", "lines", "MAXLEN", "many", "*", "k", "v"}),
            "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(ask({"XADD", "lines", "MAXLEN", "1", "LIMIT", "2", "*", "k", "v"}).substr(0, 17),
            "-ERR syntax error");
  EXPECT_EQ(ask({"XADD", "lines", "MAXLEN", "~", "1"}).substr(0, 4), "-ERR");
  EXPECT_EQ(ask({"XADD", "lines", "MAXLEN", "MAXLEN", "MAXLEN", "LIMIT"}).substr(0, 4), "-ERR");
  EXPECT_EQ(records(Kind::log, "lines"), Strings{});
}

TEST_F(RedisTest, NativeCommands_WithOk) {
  EXPECT_EQ(ask({"STATUS", "web", "k", "v"}), "+OK\r\n");
  EXPECT_EQ(ask({"LOG", "lines", "k", "v"}), "+OK\r\n");
  EXPECT_EQ(client_.ask("LOG lines k the rest of it\r\n"), "+OK\r\n");
  EXPECT_EQ(ask({"UNSET", "web", "k"}), "+OK\r\n");
  EXPECT_EQ(records(Kind::log, "lines"), (Strings{"k=v", "k=the rest of it"}));
  EXPECT_EQ(records(Kind::status, "web"), Strings{});
}

TEST_F(RedisTest, Pipeline_RepliesInOrder) {
  std::string text;
  std::string wanted;
  for (int i = 0; i < 1000; ++i) {
    text += resp({"HSET", "web", "k" + std::to_string(i % 7), "v"}) + resp({"PING"}) +
            resp({"HSET", "x", "k", "v"});
    wanted += ":1\r\n+PONG\r\n-QUOTA unknown_directory 1 of 1 dropped\r\n";
  }
  client_.send(text + resp({"QUIT"}));
  EXPECT_EQ(client_.rest(), wanted + "+OK\r\n");
}

TEST_F(RedisTest, Transaction_StoresAtExec) {
  EXPECT_EQ(ask({"MULTI"}), "+OK\r\n");
  EXPECT_EQ(ask({"HSET", "web", "a", "1"}), "+QUEUED\r\n");
  EXPECT_EQ(ask({"XADD", "lines", "*", "k", "v"}), "+QUEUED\r\n");
  EXPECT_EQ(ask({"PING"}), "+QUEUED\r\n");
  EXPECT_EQ(records(Kind::status, "web"), Strings{});
  const std::string all = ask({"EXEC"});
  EXPECT_EQ(all.substr(0, 8), "*3\r\n:1\r\n");
  EXPECT_EQ(all.substr(all.size() - 7), "+PONG\r\n");
  EXPECT_EQ(records(Kind::status, "web"), Strings{"a=1"});
  EXPECT_EQ(records(Kind::log, "lines"), Strings{"k=v"});
}

TEST_F(RedisTest, Transaction_Errors) {
  EXPECT_EQ(ask({"EXEC"}), "-ERR EXEC without MULTI\r\n");
  EXPECT_EQ(ask({"DISCARD"}), "-ERR DISCARD without MULTI\r\n");
  ask({"MULTI"});
  EXPECT_EQ(ask({"MULTI"}), "-ERR MULTI calls can not be nested\r\n");
  ask({"HSET", "web", "a", "1"});
  EXPECT_EQ(ask({"DISCARD"}), "+OK\r\n");
  ask({"MULTI"});
  ask({"HSET", "web", "a", "1"});
  EXPECT_EQ(ask({"NONSENSE"}).substr(0, 20), "-ERR unknown command");
  EXPECT_EQ(ask({"EXEC"}), "-EXECABORT Transaction discarded because of previous errors.\r\n");
  EXPECT_EQ(ask({"PING"}), "+PONG\r\n");
  EXPECT_EQ(records(Kind::status, "web"), Strings{});
}

TEST_F(RedisTest, Transaction_OfMany) {
  std::string text = resp({"MULTI"});
  for (int i = 0; i < 3000; ++i) text += resp({"HSET", "web", std::to_string(i % 100), std::to_string(i)});
  client_.send(text + resp({"EXEC"}));
  EXPECT_EQ(client_.reply(), "+OK\r\n");
  for (int i = 0; i < 3000; ++i) ASSERT_EQ(client_.line(), "+QUEUED");
  EXPECT_EQ(client_.line(), "*3000");
  for (int i = 0; i < 3000; ++i) ASSERT_EQ(client_.line(), ":1");
  EXPECT_EQ(records(Kind::status, "web").back(), "99=2999");
}

TEST_F(RedisTest, ClientReply_OffSkipOn) {
  client_.send(resp({"CLIENT", "REPLY", "SKIP"}) + resp({"HSET", "web", "a", "1"}) + resp({"PING"}));
  EXPECT_EQ(client_.line(), "+PONG");
  client_.send(resp({"CLIENT", "REPLY", "OFF"}) + resp({"HSET", "web", "b", "2"}) + resp({"PING"}) +
               resp({"NONSENSE"}) + resp({"CLIENT", "REPLY", "ON"}));
  EXPECT_EQ(client_.line(), "+OK");
  EXPECT_EQ(ask({"PING"}), "+PONG\r\n");
  EXPECT_EQ(records(Kind::status, "web"), (Strings{"a=1", "b=2"}));
}

TEST_F(RedisTest, Manners) {
  EXPECT_EQ(ask({"PING", "text"}), "$4\r\ntext\r\n");
  EXPECT_EQ(ask({"ECHO", "a\r\nb"}), "$4\r\na\r\nb\r\n");
  EXPECT_EQ(ask({"SELECT", "3"}), "+OK\r\n");
  EXPECT_EQ(ask({"SELECT", "x"}), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(ask({"SELECT", "99"}), "-ERR DB index is out of range\r\n");
  EXPECT_EQ(ask({"AUTH", "user", "password"}), "+OK\r\n");
  EXPECT_EQ(ask({"CLIENT", "GETNAME"}), "$-1\r\n");
  EXPECT_EQ(ask({"CLIENT", "SETNAME", "me"}), "+OK\r\n");
  EXPECT_EQ(ask({"CLIENT", "GETNAME"}), "$2\r\nme\r\n");
  EXPECT_EQ(ask({"CLIENT", "SETINFO", "LIB-NAME", "x"}), "+OK\r\n");
  EXPECT_EQ(ask({"CLIENT", "ID"}).front(), ':');
  EXPECT_EQ(ask({"CONFIG", "GET", "save"}), "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
  EXPECT_EQ(ask({"CONFIG", "GET", "append*"}), "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n");
  EXPECT_EQ(ask({"CONFIG", "SET", "save", "1"}).substr(0, 4), "-ERR");
  EXPECT_EQ(ask({"COMMAND", "DOCS"}), "*0\r\n");
  EXPECT_EQ(ask({"COMMAND", "COUNT"}), ":" + std::to_string(RedisSession::commands().size()) + "\r\n");
  EXPECT_EQ(ask({"COMMAND", "INFO", "hset", "nope"}).substr(0, 20), "*2\r\n*6\r\n$4\r\nhset\r\n:-");
  EXPECT_NE(ask({"INFO"}).find("redis_version:7"), std::string::npos);
  EXPECT_EQ(ask({"RESET"}), "+RESET\r\n");
  EXPECT_EQ(ask({"CLIENT", "GETNAME"}), "$-1\r\n");
}

TEST_F(RedisTest, Hello) {
  EXPECT_EQ(ask({"HELLO"}).substr(0, 5), "*14\r\n");
  EXPECT_EQ(ask({"HELLO", "3", "AUTH", "a", "b", "SETNAME", "x"}).substr(0, 4), "%7\r\n");
  EXPECT_EQ(ask({"PING"}), "+PONG\r\n");
  EXPECT_EQ(ask({"HELLO", "4"}), "-NOPROTO unsupported protocol version\r\n");
  EXPECT_EQ(ask({"HELLO", "2", "NONSENSE"}).substr(0, 32), "-ERR Syntax error in HELLO optio");
}

TEST_F(RedisTest, Refusals_InRedisWords) {
  EXPECT_EQ(ask({"SET", "k", "v"}), "-ERR use HSET dir key value\r\n");
  EXPECT_EQ(ask({"HGETALL", "web"}), "-ERR write-only, read through the relay\r\n");
  EXPECT_EQ(ask({"FOO", "a", "b"}), "-ERR unknown command 'FOO', with args beginning with: 'a' 'b' \r\n");
  EXPECT_EQ(ask({"PING", "a", "b"}), "-ERR wrong number of arguments for 'ping' command\r\n");
  EXPECT_EQ(ask({"ECHO"}), "-ERR wrong number of arguments for 'echo' command\r\n");
  EXPECT_EQ(unattributed(DropCause::bad_command), 4u);
}

TEST_F(RedisTest, StoppedService_IsACause) {
  publish({exact(Kind::status, "web")}, /*paused=*/true);
  EXPECT_EQ(ask({"HSET", "web", "a", "1"}).substr(0, 30), "-QUOTA stopped STOP paused the");
  EXPECT_EQ(ask({"PING"}), "+PONG\r\n");
  publish({exact(Kind::status, "web")});
  EXPECT_EQ(ask({"HSET", "web", "a", "1"}), ":1\r\n");
}

TEST_F(RedisTest, NotReading_IsHeldBackAndLosesNothing) {
  std::string text;
  constexpr int kCommands = 200'000;
  for (int i = 0; i < kCommands; ++i) text += resp({"ECHO", "0123456789012345678901234567890123456789"});
  std::thread sender([&] {
    client_.send(text);
    client_.half_close();
  });
  std::size_t replies = 0;
  for (std::string line = client_.line(); line != "<eof>" && line != "<timeout>"; line = client_.line()) {
    if (line == "$40") ++replies;
  }
  sender.join();
  EXPECT_EQ(replies, static_cast<std::size_t>(kCommands));
}

}  // namespace
}  // namespace mayfly::ingestd
