// Real clients: redis-cli, redis-benchmark, hiredis, Debian's python3-redis, bash.
#include <hiredis/hiredis.h>

#include <cstdio>
#include <cstdlib>

#include "tests/ingestd/ingest_fixture.h"

namespace mayfly::ingestd {
namespace {

using shm::Kind;
using Strings = std::vector<std::string>;

// What a shell command prints on both outputs.
std::string shell(const std::string& command) {
  std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return "<popen>";
  std::string all;
  char chunk[4096];
  for (std::size_t got = std::fread(chunk, 1, sizeof(chunk), pipe); got > 0;
       got = std::fread(chunk, 1, sizeof(chunk), pipe)) {
    all.append(chunk, got);
  }
  ::pclose(pipe);
  return all;
}

bool has(const std::string& program) {
  return std::system(("command -v " + program + " >/dev/null").c_str()) == 0;
}

class ClientsTest : public IngestTest {
 protected:
  void SetUp() override {
    IngestTest::SetUp();
    Setup setup;
    setup.workers = 2;
    start_server(setup);
    publish({exact(Kind::status, "web"), exact(Kind::log, "lines"), exact(Kind::status, "mylist")});
  }
  std::string port(const std::string& address) const { return address.substr(address.rfind(':') + 1); }
  std::uint64_t stored(Kind kind, const std::string& name) const { return directory(kind, name)->stored; }
};

TEST_F(ClientsTest, RedisCli) {
  if (!has("redis-cli")) GTEST_SKIP() << "redis-cli is not installed";
  const std::string cli = "redis-cli -p " + port(redis_address_) + " ";
  EXPECT_EQ(shell(cli + "HSET web pid 123"), "1\n");
  EXPECT_NE(shell(cli + "XADD lines '*' line 'a b'").find("-1"), std::string::npos);
  EXPECT_EQ(shell(cli + "GET web"), "ERR write-only, read through the relay\n\n");
  EXPECT_EQ(records(Kind::log, "lines"), Strings{"line=a b"});
  const std::string sent =
      shell("for i in $(seq 1 1000); do echo \"HSET web k$i v\"; done | " + cli + "--pipe");
  EXPECT_NE(sent.find("errors: 0, replies: 1000"), std::string::npos) << sent;
  EXPECT_EQ(stored(Kind::status, "web"), 1001u);
}

TEST_F(ClientsTest, RedisBenchmark) {
  if (!has("redis-benchmark")) GTEST_SKIP() << "redis-benchmark is not installed";
  const std::string said = shell("redis-benchmark -p " + port(redis_address_) +
                                 " -q -P 64 -n 100000 -r 1000 HSET web k:__rand_int__ v");
  EXPECT_NE(said.find("requests per second"), std::string::npos) << said;
  EXPECT_EQ(said.find("WARNING"), std::string::npos) << said;
  // It sends whole pipelines, and so may send some more than it was asked for.
  EXPECT_GE(stored(Kind::status, "web"), 100'000u);
}

TEST_F(ClientsTest, Hiredis) {
  redisContext* context = ::redisConnect("127.0.0.1", std::stoi(port(redis_address_)));
  ASSERT_NE(context, nullptr);
  ASSERT_EQ(context->err, 0) << context->errstr;
  for (int i = 0; i < 100; ++i) ::redisAppendCommand(context, "HSET web k%d %b", i, "v\0w", std::size_t{3});
  for (int i = 0; i < 100; ++i) {
    void* reply = nullptr;
    ASSERT_EQ(::redisGetReply(context, &reply), REDIS_OK);
    EXPECT_EQ(static_cast<redisReply*>(reply)->integer, 1);
    ::freeReplyObject(reply);
  }
  ::redisFree(context);
  EXPECT_EQ(records(Kind::status, "web").back(), std::string("k99=v\0w", 7));
}

TEST_F(ClientsTest, PythonRedis) {
  if (std::system("/usr/bin/python3 -c 'import redis' 2>/dev/null") != 0)
    GTEST_SKIP() << "python3-redis is not installed";
  const std::string script =
      "import redis\n"
      "r = redis.Redis(port=" +
      port(redis_address_) +
      ", client_name='test')\n"
      "assert r.ping()\n"
      "assert r.hset('web', 'a', '1') == 1\n"
      "assert r.hset('web', mapping={'b': '2', 'c': '3'}) == 2\n"
      "assert r.hdel('web', 'a') == 1\n"
      "r.xadd('lines', {'f': 'v'}, maxlen=10)\n"
      "for transaction in (True, False):\n"
      "    p = r.pipeline(transaction=transaction)\n"
      "    for i in range(500):\n"
      "        p.hset('web', 'p%d' % i, i)\n"
      "    assert p.execute() == [1] * 500\n"
      "try:\n"
      "    r.get('web')\n"
      "except redis.ResponseError as e:\n"
      "    assert 'write-only' in str(e)\n"
      "print('done')\n";
  const std::string path = dir_.path() + "/client.py";
  std::FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs(script.c_str(), file);
  std::fclose(file);
  EXPECT_EQ(shell("/usr/bin/python3 " + path), "done\n");
  EXPECT_EQ(stored(Kind::status, "web"), 1003u);
  EXPECT_EQ(records(Kind::log, "lines"), Strings{"f=v"});
}

TEST_F(ClientsTest, Bash_OneShots) {
  const std::string open = "exec 3<>/dev/tcp/127.0.0.1/" + port(native_address_) + "; ";
  EXPECT_EQ(shell("bash -c '" + open + "echo \"LOG lines hello world\" >&3; head -n 1 <&3'"), "+GO\r\n");
  shell("for i in $(seq 1 200); do bash -c '" + open + "echo \"LOG lines k $0\" >&3' $i; done");
  EXPECT_TRUE(eventually([&] { return stored(Kind::log, "lines") == 201; })) << stored(Kind::log, "lines");
}

}  // namespace
}  // namespace mayfly::ingestd
