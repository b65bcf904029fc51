// Bytes that mean no good: an error line, a close, and nobody else notices.
#include "tests/ingestd/ingest_fixture.h"

namespace mayfly::ingestd {
namespace {

using shm::DropCause;
using shm::Kind;
using Strings = std::vector<std::string>;

class HostileTest : public IngestTest {
 protected:
  void SetUp() override {
    IngestTest::SetUp();
    Setup setup;
    setup.workers = 2;
    setup.limits.max_buffered_bytes = 4 << 20;
    setup.limits.max_connections = 64;
    start_server(setup);
    publish({exact(Kind::log, "demo"), exact(Kind::status, "web")});
    neighbour_ = greeted();
    EXPECT_EQ(neighbour_.ask("PING\n"), "+PONG\r\n");  // from now on it stays, whoever comes
  }
  void TearDown() override {
    EXPECT_EQ(neighbour_.ask("LOG demo neighbour is well\nPING\n"), "+PONG\r\n");
    IngestTest::TearDown();
  }
  // What a new connection hears that sends this, until the server closes it.
  std::string last_words(Client client, const std::string& text) {
    client.try_send(text);
    return client.rest();
  }
  Client neighbour_;
};

TEST_F(HostileTest, Framing_ErrorAndClose) {
  const std::map<std::string, std::string> cases = {
      {"*3\r\n+x\r\n", "expected '$', got '+'"},
      {"*x\r\n", "invalid multibulk length"},
      {"*99999999\r\n", "invalid multibulk length"},
      {"*2\n", "invalid multibulk length"},
      {"*1\r\n$-1\r\n", "invalid bulk length"},
      {"*1\r\n$2147483648\r\n", "invalid bulk length"},
      {"*1\r\n$9999999999999999999999\r\n", "invalid bulk length"},
      {"*1\r\n$4\r\nPINGxx", "expected CRLF after a bulk string"},
      {"*1\r\n\x01", "expected '$', got '\\x01'"},
  };
  for (const auto& [sent, why] : cases) {
    EXPECT_EQ(last_words(native(), sent), "+GO\r\n-ERR Protocol error: " + why + "\r\n");
    EXPECT_EQ(last_words(redis(), sent), "-ERR Protocol error: " + why + "\r\n");
  }
}

TEST_F(HostileTest, Http_IsRefused) {
  const Strings requests = {
      "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\nLOG demo http body\r\n",
      "Host: x\r\nLOG demo http body\r\n",
      "OPTIONS * HTTP/1.0\r\nLOG demo http body\r\n",
  };
  for (const std::string& request : requests) {
    EXPECT_EQ(last_words(native(), request), "+GO\r\n-ERR Protocol error: this is not an HTTP server\r\n");
    EXPECT_EQ(last_words(redis(), request), "-ERR Protocol error: this is not an HTTP server\r\n");
  }
  EXPECT_EQ(records(Kind::log, "demo"), Strings{});
}

TEST_F(HostileTest, LongLine_IsSkippedToItsEnd) {
  Client client = greeted();
  client.send("LOG demo k " + std::string(70'000, 'x') + "\nLOG demo k after\nPING\n");
  EXPECT_EQ(client.line(), "-ERR line too long");
  EXPECT_EQ(client.line(), "+PONG");
  EXPECT_EQ(records(Kind::log, "demo"), Strings{"k=after"});
  EXPECT_EQ(dropped_counts(client)["bad_command"], 1u);
}

TEST_F(HostileTest, LineWithoutEnd_IsClosed) {
  EXPECT_EQ(last_words(native(), std::string(3 << 20, 'x')),
            "+GO\r\n-ERR Protocol error: too big inline request\r\n");
}

TEST_F(HostileTest, Noise_NeverHurts) {
  std::uint64_t state = 12345;
  for (int round = 0; round < 200; ++round) {
    std::string noise;
    for (int i = 0; i < 2000; ++i) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      static constexpr char kAlphabet[] = "*$123\r\n LOGdemoPING+-:\0\xff";
      noise += kAlphabet[(state >> 33) % (sizeof(kAlphabet) - 1)];
    }
    Client client = round % 2 == 0 ? native() : redis();
    client.try_send(noise);
    client.half_close();
    EXPECT_EQ(client.rest().find("<timeout>"), std::string::npos);
  }
}

TEST_F(HostileTest, ManyHalfCommands_StayWithinTheCeiling) {
  shm::Quotas large;
  large.max_value_bytes = large.max_total_bytes = large.max_bytes_per_key = 8 << 20;
  publish({exact(Kind::log, "demo", large), exact(Kind::status, "web")});
  std::vector<Client> half;
  for (int i = 0; i < 8; ++i) {
    half.push_back(greeted());
    half.back().send("*4\r\n$3\r\nLOG\r\n$4\r\ndemo\r\n$1\r\nk\r\n$2000000\r\n" +
                     std::string(1'900'000, 'x'));
  }
  for (Client& client : half) client.send(std::string(100'000, 'x') + "\r\nPING\n");
  std::uint64_t dropped_for_memory = 0;
  for (Client& client : half) {
    EXPECT_EQ(client.line(), "+PONG");
    dropped_for_memory += dropped_counts(client)["no_memory"];
  }
  EXPECT_GT(dropped_for_memory, 0u);
  EXPECT_EQ(dropped(Kind::log, "demo", DropCause::no_memory), dropped_for_memory);
  EXPECT_EQ(records(Kind::log, "demo").size() + dropped_for_memory, 8u);
}

TEST_F(HostileTest, TooManyConnections_AreToldSo) {
  std::vector<Client> all;
  for (int i = 0; i < 63; ++i) all.push_back(greeted());
  for (Client& client : all) EXPECT_EQ(client.ask("PING\n"), "+PONG\r\n");
  EXPECT_EQ(native().rest(), "-ERR max number of clients reached\r\n");
  all.clear();
  EXPECT_TRUE(eventually([&] { return native().line() == "+GO"; }));
}

/// One worker that takes few connections.
class FloodTest : public HostileTest {
 protected:
  void restart(std::uint64_t in_all, std::uint64_t per_source, std::uint64_t buffered = 4 << 20) {
    stop_server();
    Setup setup;
    setup.limits.max_connections = in_all;
    setup.limits.max_connections_per_source = per_source;
    setup.limits.max_buffered_bytes = buffered;
    start_server(setup);
    neighbour_ = greeted();
    EXPECT_EQ(neighbour_.ask("PING\n"), "+PONG\r\n");
  }
  shm::WorkerInfo counted() const { return info().workers.front(); }
};

TEST_F(FloodTest, NewcomersWithoutACommandMakeRoom) {
  restart(8, 8);
  std::vector<Client> silent;
  for (int i = 0; i < 7; ++i) silent.push_back(greeted());
  Client served = greeted();
  EXPECT_EQ(served.ask("LOG demo k from one that had something to say\nPING\n"), "+PONG\r\n");
  for (Client& client : silent) EXPECT_EQ(client.rest(), "");
  EXPECT_EQ(records(Kind::log, "demo").size(), 1u);
  EXPECT_TRUE(eventually([&] { return counted().closed_connections == 7; }));
  EXPECT_EQ(counted().refused_connections, 0u);
}

TEST_F(FloodTest, ConnectionsWithACommandStay) {
  restart(4, 4);
  std::vector<Client> proven;
  for (int i = 0; i < 3; ++i) proven.push_back(greeted());
  for (Client& client : proven) EXPECT_EQ(client.ask("PING\n"), "+PONG\r\n");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(native().rest(), "-ERR max number of clients reached\r\n");
  for (Client& client : proven) EXPECT_EQ(client.ask("PING\n"), "+PONG\r\n");
  EXPECT_TRUE(eventually([&] { return counted().refused_connections == 5; }));
  EXPECT_EQ(counted().closed_connections, 0u);
}

TEST_F(FloodTest, OneSourceLeavesRoomForAnother) {
  restart(16, 3);
  std::vector<Client> proven;
  for (int i = 0; i < 2; ++i) {
    proven.push_back(greeted());
    EXPECT_EQ(proven.back().ask("PING\n"), "+PONG\r\n");
  }
  EXPECT_EQ(native().rest(), "-ERR max number of clients reached\r\n");
  Client local = Client::unix_socket(unix_path_);
  EXPECT_EQ(local.line(), "+GO");
  proven.pop_back();
  EXPECT_TRUE(eventually([&] { return native().line() == "+GO"; }));
}

// The list of an array's arguments is memory too, though each of them is empty.
TEST_F(FloodTest, ArgumentsWithoutBytesCountAsBuffered) {
  restart(64, 64, 3 << 20);
  std::string empty_arguments;
  for (int i = 0; i < 200'000; ++i) empty_arguments += "$0\r\n\r\n";
  std::vector<Client> hoarders;
  std::size_t told = 0;
  for (int i = 0; i < 4; ++i) {
    hoarders.push_back(greeted());
    hoarders.back().try_send("*1048576\r\n" + empty_arguments);
  }
  for (Client& client : hoarders) {
    client.half_close();
    if (client.rest().find("no memory left for incomplete commands") != std::string::npos) ++told;
  }
  EXPECT_GE(told, 2u);
  // What they held is given back: there is room for a value of 2 MiB.
  shm::Quotas large;
  large.max_value_bytes = large.max_total_bytes = large.max_bytes_per_key = 8 << 20;
  publish({exact(Kind::log, "demo", large), exact(Kind::status, "web")});
  hoarders.clear();
  neighbour_.send(resp({"LOG", "demo", "k", std::string(2 << 20, 'x')}));
  EXPECT_EQ(neighbour_.ask("PING\n"), "+PONG\r\n");
  EXPECT_EQ(records(Kind::log, "demo").size(), 1u);
}

// Each byte costs what it costs, not another look at all arguments before it.
TEST_F(FloodTest, ManyArgumentsInSmallPieces) {
  restart(8, 8);
  Client client = greeted();
  std::string bytes = "*100001\r\n";
  for (int i = 0; i < 100'000; ++i) bytes += "$0\r\n\r\n";
  client.send(bytes);
  for (int i = 0; i < 500; ++i) {
    client.send(i == 0 ? "$500\r\nx" : "x");
    EXPECT_EQ(neighbour_.ask("PING\n"), "+PONG\r\n");
  }
  client.send("\r\nPING\n");
  EXPECT_EQ(client.line(), "-ERR unknown command ''");
  EXPECT_EQ(client.line(), "+PONG");
}

TEST_F(HostileTest, BigArguments_OutsideOfRecordsAreSkipped) {
  const std::string big(200'000, 'x');
  Client client = greeted();
  client.send(resp({"PING", big}) + resp({big}) + resp({"LOG", big, "k", "v"}) +
              resp({"LOG", "demo", big, "v"}) + resp({"LOG", "demo", "k", "v", big}) + "PING\n");
  EXPECT_EQ(client.line().substr(0, 12), "-ERR the tex");
  EXPECT_EQ(client.line().substr(0, 12), "-ERR unknown");
  EXPECT_EQ(client.line().substr(0, 10), "-ERR wrong");
  EXPECT_EQ(client.line(), "+PONG");
  auto counts = dropped_counts(client);
  EXPECT_EQ(counts["bad_command"], 3u);
  EXPECT_EQ(counts["unknown_directory"], 1u);
  EXPECT_EQ(counts["key_too_long"], 1u);
  Client other = redis();
  EXPECT_EQ(other.ask(resp({"ECHO", big})), "-ERR argument too long\r\n");
  EXPECT_EQ(other.ask(resp({"HSET", "web", "k", big})), "-QUOTA value_too_long 1 of 1 dropped\r\n");
  EXPECT_EQ(other.ask(resp({"MULTI"})), "+OK\r\n");
  EXPECT_EQ(other.ask(resp({"HSET", "web", "k", big})), "+QUEUED\r\n");
  EXPECT_EQ(other.ask(resp({"EXEC"})), "*1\r\n-QUOTA value_too_long 1 of 1 dropped\r\n");
}

TEST_F(HostileTest, SlowFirstCommand_IsClosedAndAProvenConnectionNever) {
  stop_server();
  Setup setup;
  setup.limits.first_command_timeout = std::chrono::seconds(1);
  start_server(setup);
  neighbour_ = greeted();
  EXPECT_EQ(neighbour_.ask("PING\n"), "+PONG\r\n");
  Client slow = greeted();
  slow.send("LOG demo k half");
  EXPECT_EQ(slow.rest(), "");
  EXPECT_EQ(neighbour_.ask("PING\n"), "+PONG\r\n");
}

}  // namespace
}  // namespace mayfly::ingestd
