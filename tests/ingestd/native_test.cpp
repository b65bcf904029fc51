// The native listener, through real sockets.
#include <filesystem>

#include "tests/ingestd/ingest_fixture.h"

namespace mayfly::ingestd {
namespace {

using shm::DropCause;
using shm::Kind;
using Strings = std::vector<std::string>;

class NativeTest : public IngestTest {
 protected:
  void SetUp() override {
    IngestTest::SetUp();
    start_server();
    publish({exact(Kind::log, "demo"), exact(Kind::status, "web"), pattern(Kind::log, "app-*", 2)});
  }
};

TEST_F(NativeTest, Inline_LineIsTheRest) {
  Client client = greeted();
  EXPECT_EQ(client.ask("LOG demo hello world and  more \nPING\n"), "+PONG\r\n");
  EXPECT_EQ(records(Kind::log, "demo"), Strings{"hello=world and  more "});
}

TEST_F(NativeTest, Inline_CrlfLetterCaseAndEmptyArguments) {
  Client client = greeted();
  client.send("log demo  x\r\n\r\nStAtUs web pid \nLoG demo k \"quoted\"\nping\r\n");
  EXPECT_EQ(client.line(), "+PONG");
  EXPECT_EQ(records(Kind::log, "demo"), (Strings{"=x", "k=\"quoted\""}));
  EXPECT_EQ(records(Kind::status, "web"), Strings{"pid="});
}

TEST_F(NativeTest, Resp_IsBinarySafe) {
  Client client = greeted();
  const std::string value("a\0\r\n\xff\xfe", 6);
  client.send(resp({"STATUS", "web", "k\n", value}) + resp({"PING"}));
  EXPECT_EQ(client.line(), "+PONG");
  EXPECT_EQ(records(Kind::status, "web"), Strings{"k\n=" + value});
}

TEST_F(NativeTest, Status_ReplacesAndUnsetRemoves) {
  Client client = greeted();
  EXPECT_EQ(client.ask("STATUS web a 1\nSTATUS web b 2\nSTATUS web a 3\nUNSET web b\nUNSET web none\nPING\n"),
            "+PONG\r\n");
  EXPECT_EQ(records(Kind::status, "web"), Strings{"a=3"});
  const auto web = directory(Kind::status, "web");
  ASSERT_TRUE(web);
  EXPECT_EQ(web->stored, 3u);
  EXPECT_EQ(web->replaced, 1u);
  EXPECT_EQ(web->evicted[static_cast<std::size_t>(shm::EvictCause::unset)], 1u);
}

TEST_F(NativeTest, Ping_WithText) {
  Client client = greeted();
  EXPECT_EQ(client.ask("PING a b  c\n"), "$6\r\na b  c\r\n");
  EXPECT_EQ(client.ask(resp({"PING", ""})), "$0\r\n\r\n");
}

TEST_F(NativeTest, Quit_AnswersAndCloses) {
  Client client = greeted();
  client.send("LOG demo k last\nQUIT\nLOG demo k unheard\n");
  EXPECT_EQ(client.rest(), "+OK\r\n");
  EXPECT_EQ(records(Kind::log, "demo"), Strings{"k=last"});
}

TEST_F(NativeTest, Order_WithinAKeyIsOrderOfArrival) {
  Client client = greeted();
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    text += "LOG demo k " + std::to_string(i) + "\nSTATUS web k " + std::to_string(i) + "\n";
    text += "LOG app-1 k " + std::to_string(i) + "\n";
  }
  EXPECT_EQ(client.ask(text + "PING\n"), "+PONG\r\n");
  const Strings demo = records(Kind::log, "demo");
  ASSERT_EQ(demo.size(), 1000u);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(demo[static_cast<std::size_t>(i)], "k=" + std::to_string(i));
  EXPECT_EQ(records(Kind::status, "web"), Strings{"k=999"});
  EXPECT_EQ(records(Kind::log, "app-1"), demo);
}

TEST_F(NativeTest, Dropped_ByCause) {
  Client client = greeted();
  client.send("LOG nowhere k v\nLOG web k v\nSTATUS demo k v\nLOG bad/name k v\n");  // kinds share no names
  client.send("LOG app-1 k v\nLOG app-2 k v\nLOG app-3 k v\n");
  client.send("LOG demo " + std::string(1025, 'k') + " v\nLOG demo k " + std::string(1025, 'v') + "\n");
  client.send("NONSENSE\nLOG demo\nUNSET nowhere k\n");
  EXPECT_EQ(client.line().substr(0, 28), "-ERR unknown command 'NONSEN");
  EXPECT_EQ(client.line(), "-ERR wrong number of arguments for 'LOG'");
  auto counts = dropped_counts(client);
  EXPECT_EQ(counts["unknown_directory"], 5u);
  EXPECT_EQ(counts["too_many_directories"], 1u);
  EXPECT_EQ(counts["key_too_long"], 1u);
  EXPECT_EQ(counts["value_too_long"], 1u);
  EXPECT_EQ(counts["bad_command"], 2u);
  EXPECT_EQ(counts["stopped"], 0u);
  EXPECT_EQ(dropped(Kind::log, "demo", DropCause::key_too_long), 1u);
  EXPECT_EQ(dropped(Kind::log, "demo", DropCause::value_too_long), 1u);
  EXPECT_EQ(unattributed(DropCause::unknown_directory), 5u);
  EXPECT_EQ(unattributed(DropCause::too_many_directories), 1u);
  EXPECT_EQ(unattributed(DropCause::bad_command), 2u);
}

TEST_F(NativeTest, Unset_OpensNothing) {
  Client client = greeted();
  publish({pattern(Kind::status, "*", 1)});
  EXPECT_EQ(client.ask("UNSET fresh k\nPING\n"), "+PONG\r\n");
  EXPECT_FALSE(directory(Kind::status, "fresh"));
  EXPECT_EQ(dropped_counts(client)["too_many_directories"], 0u);
}

TEST_F(NativeTest, Kinds_ShareNoNames) {
  publish({pattern(Kind::log, "*"), pattern(Kind::status, "*")});
  Client client = greeted();
  EXPECT_EQ(client.ask("LOG web k line\nSTATUS web k value\nPING\n"), "+PONG\r\n");
  EXPECT_EQ(records(Kind::log, "web"), Strings{"k=line"});
  EXPECT_EQ(records(Kind::status, "web"), Strings{"k=value"});
}

TEST_F(NativeTest, UnixSocket_SpeaksTheSame) {
  Client client = Client::unix_socket(unix_path_);
  EXPECT_EQ(client.line(), "+GO");
  EXPECT_EQ(client.ask("LOG demo k v\nPING\n"), "+PONG\r\n");
  EXPECT_EQ(records(Kind::log, "demo"), Strings{"k=v"});
}

TEST_F(NativeTest, HalfClose_StillGetsReplies) {
  Client client = native();
  client.send("LOG demo k v\nPING\n");
  client.half_close();
  EXPECT_EQ(client.rest(), "+GO\r\n+PONG\r\n");
}

TEST_F(NativeTest, OneShot_LosesNothing) {
  constexpr int kWriters = 2000;
  shm::Quotas roomy;
  roomy.max_events_per_key = 1u << 30;
  roomy.max_total_bytes = roomy.max_bytes_per_key = 1u << 30;
  publish({exact(Kind::log, "demo", roomy)});
  for (int i = 0; i < kWriters; ++i) {
    Client client = native();
    client.send("LOG demo k " + std::to_string(i) + "\n");
    // Every third leaves with a reset, every third has its +GO unread in its socket.
    if (i % 3 == 0) client.line();
    i % 3 == 1 ? client.close() : client.half_close();
  }
  EXPECT_TRUE(eventually([&] { return directory(Kind::log, "demo")->records == kWriters; }))
      << directory(Kind::log, "demo")->records;
}

TEST_F(NativeTest, NeverReading_IsServedAllTheSame) {
  Client client = native();
  std::string nonsense;
  for (int i = 0; i < 1000; ++i) nonsense += "NO-SUCH-COMMAND\nPING\nDROPPED\n";
  for (int i = 0; i < 400; ++i) client.send(nonsense);
  client.send("LOG demo k heard\n");
  EXPECT_TRUE(eventually([&] { return records(Kind::log, "demo") == Strings{"k=heard"}; }));
  EXPECT_EQ(unattributed(DropCause::bad_command), 400'000u);
}

TEST_F(NativeTest, LargeValue_IsStoredForReal) {
  shm::Quotas large;
  large.max_value_bytes = shm::kMaxRecordBytes;
  large.max_total_bytes = large.max_bytes_per_key = 64u << 20;
  stop_server();
  std::filesystem::remove(dir_.path() + "/data");
  Setup setup;
  setup.bytes = 96 << 20;  // a record may take a quarter of it
  start_server(setup);
  publish({exact(Kind::status, "web", large), exact(Kind::log, "demo")});
  Client client = greeted();
  const std::string value(shm::kMaxRecordBytes - 1, 'x');
  client.send(resp({"STATUS", "web", "k", value}) + resp({"LOG", "demo", "after", "it"}) + resp({"PING"}));
  EXPECT_EQ(client.line(), "+PONG");
  const Strings found = records(Kind::status, "web");
  for (const auto& [cause, count] : dropped_counts(client)) EXPECT_EQ(count, 0u) << cause;
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0] == "k=" + value);
  EXPECT_EQ(records(Kind::log, "demo"), Strings{"after=it"});
}

TEST_F(NativeTest, HugeBulk_IsSkippedAndCounted) {
  Client client = greeted();
  constexpr std::size_t kHuge = 100u << 20;
  client.send("*4\r\n$3\r\nLOG\r\n$4\r\ndemo\r\n$1\r\nk\r\n$" + std::to_string(kHuge) + "\r\n");
  const std::string chunk(1 << 20, 'x');
  for (std::size_t sent = 0; sent < kHuge; sent += chunk.size()) client.send(chunk);
  client.send("\r\n" + resp({"LOG", "demo", "k", "after"}) + "PING\n");
  EXPECT_EQ(client.line(), "+PONG");
  EXPECT_EQ(records(Kind::log, "demo"), Strings{"k=after"});
  EXPECT_EQ(dropped(Kind::log, "demo", DropCause::value_too_long), 1u);
  EXPECT_EQ(dropped_counts(client)["value_too_long"], 1u);
}

TEST_F(NativeTest, ByteByByte) {
  Client client = greeted();
  const std::string text = resp({"LOG", "demo", "k", "v1"}) + "LOG demo k v2\r\n" + resp({"PING", "x"});
  for (const char c : text) client.send(std::string_view(&c, 1));
  EXPECT_EQ(client.reply(), "$1\r\nx\r\n");
  EXPECT_EQ(records(Kind::log, "demo"), (Strings{"k=v1", "k=v2"}));
}

}  // namespace
}  // namespace mayfly::ingestd
